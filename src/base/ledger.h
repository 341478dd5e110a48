/* SPDX-License-Identifier: MIT */
/*
 * The ledger: the only place where counts and cycles grow.
 *
 * An event is a row of events.def: something that really happened in this run, its
 * family, and a formula over the components of the cost profile, e.g.
 *
 *     "vmx.exit + 10*vmx.vmread + kvm.handler + vmx.entry"
 *
 * ledger_charge() counts the event, adds its cycles and moves virtual time on. Guest
 * instructions are counted apart (ledger_guest()): they are the work, events are the overhead.
 */
#ifndef EMU_BASE_LEDGER_H
#define EMU_BASE_LEDGER_H

#include "base/clock.h"
#include "base/profile.h"

/* What an exit was about: the same list for every engine. */
enum family {
#define FAMILY(id, name, help) FAMILY_##id,
#include "base/events.def"
    FAMILY_COUNT
};

enum event {
#define EVENT(id, name, family, formula, help) EV_##id,
#include "base/events.def"
    EV_COUNT
};

struct family_row { const char *name, *help; };
struct event_row { const char *name; enum family family; const char *formula, *help; };
extern const struct family_row family_rows[FAMILY_COUNT];
extern const struct event_row event_rows[EV_COUNT];

struct ledger;

/* Who sees each charge as it is made, before virtual time moves on by it. It may not change anything that the guest can see. */
struct ledger_observer {
    void (*event)(struct ledger_observer *o, const struct ledger *l, enum event e, u64 n, cycles_t cycles); /* may be NULL */
    void (*guest)(struct ledger_observer *o, const struct ledger *l, u64 insns, cycles_t cycles);           /* may be NULL */
    struct ledger_observer *next;
};

struct ledger {
    struct clock *clock;        /* virtual time moves on with each charge */
    struct ledger_observer *observer;   /* the first of a chain; NULL, and then each charge costs one predicted branch */
    u64 count[EV_COUNT];        /* exact */
    u64 cycles[EV_COUNT];       /* a model */
    u64 guest_insns;            /* guest instructions retired, exact */
    u64 guest_cycles;           /* what they cost by class, a model */
    u64 polled;                 /* cycles that a processor waited for something by asking for it: idle for the guest, busy for the host */
    u64 cost[EV_COUNT];         /* one event's cycles under the profile */
};

/* Compile every formula against *p. 0, or -1 when a formula names no component (our bug, found by the tests). */
int ledger_init(struct ledger *l, struct clock *clock, const struct profile *p, struct error *err);
void ledger_reset(struct ledger *l); /* counts and cycles to zero; costs stay */

/* Tell the observers. */
void ledger_observe_event(struct ledger *l, enum event e, u64 n, cycles_t cycles);
void ledger_observe_guest(struct ledger *l, u64 insns, cycles_t cycles);

static inline void ledger_charge_n(struct ledger *l, enum event e, u64 n)
{
    cycles_t c = l->cost[e] * n;
    if (unlikely(l->observer))
        ledger_observe_event(l, e, n, c);
    l->count[e] += n;
    l->cycles[e] += c;
    clock_advance(l->clock, c);
}
static inline void ledger_charge(struct ledger *l, enum event e) { ledger_charge_n(l, e, 1); }

/* The same in a thread of the host that runs beside: counted and paid for, but for this machine's processor no time goes by. */
static inline void ledger_charge_beside(struct ledger *l, enum event e, u64 n)
{
    cycles_t c = l->cost[e] * n;
    if (unlikely(l->observer))
        ledger_observe_event(l, e, n, c);
    l->count[e] += n;
    l->cycles[e] += c;
}

/* Something that a device did by itself: counted, but it costs the processor nothing and time does not move. Returns how long it takes. */
static inline cycles_t ledger_note(struct ledger *l, enum event e)
{
    if (unlikely(l->observer))
        ledger_observe_event(l, e, 1, 0);
    l->count[e]++;
    return l->cost[e];
}

/* Cycles that an event cost beyond its formula, known only at run time (e.g. bytes copied). */
static inline void ledger_add_cycles(struct ledger *l, enum event e, cycles_t c)
{
    if (unlikely(l->observer))
        ledger_observe_event(l, e, 0, c);
    l->cycles[e] += c;
    clock_advance(l->clock, c);
}

/* `insns` guest instructions retired, together `cycles`; virtual time moves on. */
static inline void ledger_guest(struct ledger *l, u64 insns, cycles_t cycles)
{
    if (unlikely(l->observer))
        ledger_observe_guest(l, insns, cycles);
    l->guest_insns += insns;
    l->guest_cycles += cycles;
    clock_advance(l->clock, cycles);
}

/* Sums over a family, or over all events. */
u64 ledger_family_count(const struct ledger *l, enum family f);
u64 ledger_family_cycles(const struct ledger *l, enum family f);
u64 ledger_event_cycles(const struct ledger *l);

/* Evaluate a formula such as "2*a.b + c.d" over *p. 0, or -1 with *err. */
int formula_eval(const char *formula, const struct profile *p, u64 *cycles, struct error *err);

#endif
