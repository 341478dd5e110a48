/* SPDX-License-Identifier: MIT */
/*
 * A command behind bubblewrap: no network, no other processes, of the file system only the system's programs and what is bound,
 * no privileges, a filter of system calls, limits on everything. It gets no input; what it prints comes back.
 */
#ifndef EMU_CLI_GRADE_SANDBOX_H
#define EMU_CLI_GRADE_SANDBOX_H

#include "base/error.h"
#include "base/types.h"

enum { SANDBOX_MAX_BINDS = 8 };

struct sandbox {
    const char *const *argv;        /* NULL-ended; the program's path inside */
    struct { const char *host, *inside; bool writable; } bind[SANDBOX_MAX_BINDS]; unsigned nbinds;
    const char *cwd;                /* inside; NULL: /tmp */
    u64 address_space;              /* bytes; 0: any */
    u64 file_size;                  /* bytes that it may write into one file; 0: any, for there is none that it could write */
    unsigned cpu_seconds;           /* a fuse against what hangs, not a limit that marks depend on */
    char *out; size_t size;         /* what it prints, both streams; what does not fit is dropped; NUL-ended */
};

enum sandbox_end { SANDBOX_EXITED, SANDBOX_SIGNALED, SANDBOX_CPU, SANDBOX_FLOOD };

/* 0, or -1 with *err saying what is missing or forbidden here. Looks by doing. */
int sandbox_probe(struct error *err);
/* Run it to its end. *status: exit status or signal. -1 with *err: it could not be started. */
int sandbox_run(const struct sandbox *s, enum sandbox_end *end, int *status, struct error *err);
/* From now on SIGINT, SIGTERM and SIGHUP end what runs in a sandbox, and sandbox_run() fails, so that its callers leave in order. */
void sandbox_catch_signals(void);
/* Which of them has come; 0: none. */
int sandbox_signal(void);
/* The filter of system calls, as a file for bwrap --seccomp; closed on exec. -1: there is no memory for it. */
int sandbox_filter_open(void);

#endif
