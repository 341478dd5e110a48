/* SPDX-License-Identifier: MIT */
/*
 * A line on the terminal while something takes long, gone when it is over. Only where somebody looks: standard error is a
 * terminal, and one that can erase a line (TERM is set and not "dumb"). NO_COLOR in the environment: without colour.
 */
#ifndef EMU_CLI_PROGRESS_H
#define EMU_CLI_PROGRESS_H

#include "base/ledger.h"

struct progress {
    struct ledger_observer observer;    /* first; in a ledger's chain it adds how far virtual time has come */
    int fd;
    bool on, colour;
    char what[160];
    u64 started_ns, drawn_ns;           /* host time */
    unsigned calls;                     /* of the observer, since it last looked at the host's clock */
    cycles_t look;                      /* virtual time at which it will */
};

void progress_init(struct progress *p, int fd);
/* What is done now. Draws it. */
void progress_show(struct progress *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Erase the line; before anything else is printed. */
void progress_end(struct progress *p);

#endif
