/* SPDX-License-Identifier: MIT */
#include "cli/turns.h"

#include "cli/signals.h"
#include "hwassist/hwassist.h"

static void slice_over(void *vm, cycles_t when) { vm_pause(vm); }

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
    u64 passed = clock_cycles_to_ns(c, c->now) - before;
    for (unsigned i = 0; i < n; i++)
        if (&all[i] != t && all[i].vm->status != VM_ENDED)
            clock_advance(&all[i].vm->clock, clock_ns_to_cycles(&all[i].vm->clock, passed));
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

void turns_take(struct turn_taker *all, unsigned n, u64 slice_ns)
{
    struct turn_taker *last = NULL;
    for (bool running = true; running;) {
        running = false;
        for (unsigned i = 0; i < n; i++) {
            if (all[i].vm->status == VM_ENDED)
                continue;
            switch_to(last, &all[i]);
            turn(all, n, &all[i], slice_ns);
            last = &all[i];
            running |= all[i].vm->status != VM_ENDED;
            if (all[i].vm->interrupt)
                return;
        }
    }
}
