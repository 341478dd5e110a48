/* SPDX-License-Identifier: MIT */
/* The small kernels that come with emu: the folders in guests/ that have a build. */
#ifndef EMU_CLI_GUESTS_H
#define EMU_CLI_GUESTS_H

#include "cli/nearest.h"

struct dirent;

struct guests {
    char folder[512];           /* beside the executable, or of the current directory */
    struct dirent **entry; int n; /* by name; n < 0: there is no such folder */
};
/* Never fails: there may be none. Pair with guests_free(). */
void guests_read(struct guests *g);
void guests_free(struct guests *g);

/* Their names as candidates for a mistyped word, which may say guests/NAME. The candidate lives as long as *g. */
void guests_offer(const struct guests *g, struct nearest *n);

#endif
