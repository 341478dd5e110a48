/* SPDX-License-Identifier: MIT */
/*
 * A thread of the modelled host that works for a device: QEMU's I/O thread, a vhost worker, or no thread of its own, when the
 * virtual processor itself does the work in the middle of an exit. What it does is charged to the machine's ledger; how long it
 * takes is its own time, which runs beside the guest's. So the slowest of processor, worker and wire sets the pace by itself.
 *
 * A worker that has nothing to do sleeps. Work that comes then waits for it to be woken; work that comes while it is busy does not.
 */
#ifndef EMU_BASE_WORKER_H
#define EMU_BASE_WORKER_H

#include "base/ledger.h"

struct worker {
    struct ledger *ledger;
    bool same_cpu;               /* no thread: the virtual processor does it, and its time goes by */
    enum event wake;            /* what waking it is charged as */
    cycles_t until;             /* its own clock: what it was given is done then */
    u64 wakes;                  /* counted */
};

static inline cycles_t worker_now(const struct worker *w) { return w->ledger->clock->now; }
static inline bool worker_busy(const struct worker *w) { return !w->same_cpu && w->until > worker_now(w); }

/* There is work since cycle `since`: the worker turns to it, woken if it slept. Returns the cycle at which it begins. */
cycles_t worker_call(struct worker *w, cycles_t since);
/* It does n of that event; done at w->until. */
void worker_do(struct worker *w, enum event e, u64 n);

#endif
