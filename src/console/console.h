/* SPDX-License-Identifier: MIT */
/*
 * Who sits at a running machine: gdb, the monitor, a window. Each is a client. All of them share the run loop's one pump and one
 * debugger, so that a guest that one of them has stopped is seen as stopped by the others.
 */
#ifndef EMU_CONSOLE_CONSOLE_H
#define EMU_CONSOLE_CONSOLE_H

#include <poll.h>

#include "console/debugger.h"

#define CONSOLE_MAX_CLIENTS 6

struct console_client {
    const char *name;
    void *opaque;
    /* Look for input without waiting. Called between slices while the guest runs, and while it is stopped. NULL: input comes otherwise. */
    void (*pump)(void *opaque);
    /* The guest has stopped (debugger.why says why) or has ended (vm->status is VM_ENDED); may be NULL. */
    void (*stopped)(void *opaque);
    /* The guest has ended: is there somebody who wants to look at it before it is gone? Asked over and over; NULL: no. */
    bool (*holds)(void *opaque);
    /* What to wait on while the guest is stopped, -1: nothing (then pump() is called every few milliseconds). */
    int (*fd)(void *opaque);
};

struct console {
    struct vm *vm;                  /* from console_attach() on */
    struct debugger debugger;
    struct console_client client[CONSOLE_MAX_CLIENTS];
    unsigned nclients;
    u64 next_poll_ns;               /* of the host's clock: clients are not asked at every exit */
};

/* *c's storage is the caller's, zeroed. */
void console_add(struct console *c, const struct console_client *client);
/* Is there a client that looks for input of its own? */
bool console_is_served(const struct console *c);
/* If so, the configuration of the machine-to-be gets their pump. */
void console_configure(struct console *c, struct vm_config *config);
/* From now on the console is about this machine, NULL: about none (before vm_free()). */
void console_attach(struct console *c, struct vm *vm);
/* vm_run() until the guest ends, with the clients' stops in between. `stopped`: begin stopped. Returns the exit status. */
int console_run(struct console *c, bool stopped);

#endif
