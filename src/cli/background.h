/* SPDX-License-Identifier: MIT */
/* -daemonize and -pidfile: emu goes on without the shell that started it, and says where it is. */
#ifndef EMU_CLI_BACKGROUND_H
#define EMU_CLI_BACKGROUND_H

#include "base/error.h"
#include "base/types.h"

struct background {
    const char *pidfile;    /* written, to be taken away; NULL: none */
    int ready;              /* to the process that waits, while `waited` */
    bool waited;
};

/* Before the machine is made. With `daemonize` this returns in a child; its parent waits for background_ready() or the child's end,
 * and leaves with 0 or the child's status. 0 or -1 with *err. */
int background_start(struct background *b, const char *pidfile, bool daemonize, struct error *err);
/* The machine is there: nothing more can go wrong that the user should see. */
void background_ready(struct background *b);
void background_end(struct background *b);

#endif
