/* SPDX-License-Identifier: MIT */
/*
 * Virtual time: one clock of the modelled processor's cycles per VM, and the queue of
 * what is due when. Devices set timers; the run loop asks for the next deadline,
 * runs the guest until then, and lets clock_run_due() call what has come due.
 *
 * Time advances only through clock_advance(): by guest instructions and by
 * ledger charges. So the same input gives the same order of events.
 */
#ifndef EMU_BASE_CLOCK_H
#define EMU_BASE_CLOCK_H

#include "base/types.h"

#define CLOCK_NEVER UINT64_MAX

struct clock;

/* A timer's storage belongs to whoever set it; it must be disarmed (or have
 * fired) before that storage goes away. Zeroed storage is a disarmed timer. */
struct timer {
    cycles_t when;                              /* due at this virtual cycle */
    void (*fire)(void *opaque, cycles_t when);  /* called once; may set the timer anew */
    void *opaque;
    u64 seq;                                    /* order among timers due at the same cycle */
    unsigned slot;                              /* 1-based place in the heap, 0 = disarmed */
};

struct clock {
    cycles_t now;          /* virtual cycles since power-on */
    u64 hz;                /* cycles per virtual second (profile key cpu.hz) */
    u64 seq;
    struct timer **heap;   /* owned; heap[0] is the earliest */
    unsigned len, cap;
    void (*sooner)(void *opaque);   /* called when the earliest deadline moved forward, so that who runs the guest looks anew; may be NULL */
    void *sooner_opaque;
};

void clock_init(struct clock *c, u64 hz);
void clock_fini(struct clock *c);

/* Arm (or move) a timer to fire at cycle `when`. A past `when` fires at the next clock_run_due(). */
void timer_set(struct clock *c, struct timer *t, cycles_t when);
void timer_cancel(struct clock *c, struct timer *t);
static inline bool timer_armed(const struct timer *t) { return t->slot != 0; }

/* Cycle of the earliest armed timer, CLOCK_NEVER when none. */
static inline cycles_t clock_deadline(const struct clock *c) { return c->len ? c->heap[0]->when : CLOCK_NEVER; }

/* Fire, in order, all timers with when <= now. Returns how many. */
unsigned clock_run_due(struct clock *c);

static inline void clock_advance(struct clock *c, cycles_t cycles) { c->now += cycles; }

/* Exact conversions without overflow (128-bit intermediate, rounding down). */
u64 clock_cycles_to_ns(const struct clock *c, cycles_t cycles);
cycles_t clock_ns_to_cycles(const struct clock *c, u64 ns);
/* Ticks of a device that runs at `hz` after `cycles`, rounding down; and the first cycle by which `ticks` are over. */
u64 clock_cycles_to_ticks(const struct clock *c, cycles_t cycles, u64 hz);
cycles_t clock_ticks_to_cycles(const struct clock *c, u64 ticks, u64 hz);

#endif
