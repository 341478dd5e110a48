/* SPDX-License-Identifier: MIT */
#include "cli/turns.h"

#include <poll.h>

#include "cli/signals.h"
#include "devices/serial/chardev.h"
#include "hwassist/hwassist.h"
#include "paravirt/pv.h"

static void slice_over(void *vm, cycles_t when) { vm_pause(vm); }

static void pass_time(struct turn_taker *all, unsigned n, const struct turn_taker *but, u64 ns)
{
    for (unsigned i = 0; i < n; i++)
        if (&all[i] != but && all[i].vm->status != VM_ENDED)
            clock_advance(&all[i].vm->clock, clock_ns_to_cycles(&all[i].vm->clock, ns));
}

/* One slice; the others' time passes too. */
static void turn(struct turn_taker *all, unsigned n, struct turn_taker *t, u64 slice_ns)
{
    struct clock *c = &t->vm->clock;
    u64 before = clock_cycles_to_ns(c, c->now);
    t->slice = (struct timer){ .fire = slice_over, .opaque = t->vm };
    timer_set(c, &t->slice, c->now + clock_ns_to_cycles(c, slice_ns));
    signals_watch(t->vm);
    vm_resume(t->vm, GAIT_RUN);
    vm_run(t->vm);
    timer_cancel(c, &t->slice);
    pass_time(all, n, t, clock_cycles_to_ns(c, c->now) - before);
}

static void switch_to(struct turn_taker *from, struct turn_taker *to)
{
    struct tlb_loss loss;
    if (!from || from == to || !kvm_switch(from->vm, to->vm, &loss))
        return;
    to->switches++;
    to->held += loss.held;
    to->lost += loss.lost;
}

/* --- all wait --- */

enum { MOST_INPUTS = 16, LONGEST_WAIT_MS = 20 };

/* Until something comes from outside, in the host's time. False: nothing can. */
static bool wait_for_input(struct turn_taker *all, unsigned n)
{
    struct pollfd fds[MOST_INPUTS];
    unsigned nfds = 0;
    for (unsigned i = 0; i < n && nfds < MOST_INPUTS; i++) {
        const struct chardev *c = all[i].vm->config.serial[0];
        if (all[i].vm->status != VM_ENDED && c && c->poll && c->fd >= 0)
            fds[nfds++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
    }
    if (nfds)
        poll(fds, nfds, LONGEST_WAIT_MS); /* a signal ends the wait too: the next round sees what it wants */
    return nfds;
}

/* In nanoseconds, to the first timer of any; UINT64_MAX when there is none. */
static u64 until_first_timer(const struct turn_taker *all, unsigned n)
{
    u64 least = UINT64_MAX;
    for (unsigned i = 0; i < n; i++) {
        const struct clock *c = &all[i].vm->clock;
        cycles_t when = all[i].vm->status == VM_ENDED ? CLOCK_NEVER : clock_deadline(c);
        u64 ns = when == CLOCK_NEVER ? UINT64_MAX : when <= c->now ? 0 : clock_cycles_to_ns(c, when - c->now) + 1;
        least = ns < least ? ns : least;
    }
    return least;
}

static void all_wait(struct turn_taker *all, unsigned n)
{
    u64 ns = until_first_timer(all, n);
    if (ns != UINT64_MAX)
        pass_time(all, n, NULL, ns);
    else if (!wait_for_input(all, n))
        for (unsigned i = 0; i < n; i++)
            if (all[i].vm->status != VM_ENDED)
                vm_stop(all[i].vm, STATUS_STOPPED, "every domain waits for an event, and no timer or input will ever cause one");
}

/* --- rounds --- */

/* Each that lives gets a turn. *waited: none of them had anything to do. False: all have ended, or the user interrupts. */
static bool round_of_turns(struct turn_taker *all, unsigned n, u64 slice_ns, struct turn_taker **last, bool *waited)
{
    bool any = false;
    *waited = true;
    for (unsigned i = 0; i < n; i++) {
        if (all[i].vm->status == VM_ENDED)
            continue;
        any = true;
        switch_to(*last, &all[i]);
        bool waits = pv_waits(all[i].vm);
        turn(all, n, &all[i], slice_ns);
        *waited &= (waits && pv_waits(all[i].vm)) || all[i].vm->waits;
        *last = &all[i];
        if (all[i].vm->interrupt)
            return false;
    }
    return any;
}

/* Domains switch whenever one of them blocks; they count for themselves. */
static void note_switches(struct turn_taker *t)
{
    struct tlb_loss loss;
    if (!pv_switches(t->vm, &t->switches, &loss))
        return;
    t->held = loss.held;
    t->lost = loss.lost;
}

void turns_take(struct turn_taker *all, unsigned n, u64 slice_ns)
{
    struct turn_taker *last = NULL;
    bool waited;
    while (round_of_turns(all, n, slice_ns, &last, &waited))
        if (waited)
            all_wait(all, n);
    for (unsigned i = 0; i < n; i++)
        note_switches(&all[i]);
}
