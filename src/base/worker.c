/* SPDX-License-Identifier: MIT */
/* A clock of its own beside the machine's: when the thread is awake, and until when it has work. */
#include "base/worker.h"

cycles_t worker_call(struct worker *w, cycles_t since)
{
    if (w->same_cpu)
        return w->until = worker_now(w);
    if (w->until >= since && w->until)
        return w->until;        /* it is still at something else, and comes to this without having slept */
    ledger_charge_beside(w->ledger, w->wake, 1);
    w->wakes++;
    return w->until = since + w->ledger->cost[w->wake];
}

void worker_do(struct worker *w, enum event e, u64 n)
{
    if (w->same_cpu) {
        ledger_charge_n(w->ledger, e, n);
        w->until = worker_now(w);
        return;
    }
    ledger_charge_beside(w->ledger, e, n);
    w->until += n * w->ledger->cost[e];
}
