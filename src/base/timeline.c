/* SPDX-License-Identifier: MIT */
#include "base/timeline.h"

#include <string.h>

static void on_event(struct ledger_observer *o, const struct ledger *l, enum event e, u64 n, cycles_t cycles)
{
    if (n)
        timeline_add((struct timeline *)o, l->clock->now, event_rows[e].family, n);
}

void timeline_init(struct timeline *t)
{
    memset(t, 0, sizeof *t);
    t->observer.event = on_event;
    t->shift = TIMELINE_FIRST_SHIFT;
}

/* Slices 2i and 2i + 1 become slice i. */
static void widen(struct timeline *t)
{
    u64 (*c)[FAMILY_COUNT] = t->count;
    _Static_assert(TIMELINE_SLICES % 2 == 0, "slices are added in pairs");
    for (unsigned i = 0; i < TIMELINE_SLICES / 2; i++)
        for (int f = 0; f < FAMILY_COUNT; f++)
            c[i][f] = c[2 * i][f] + c[2 * i + 1][f];
    memset(c[TIMELINE_SLICES / 2], 0, sizeof *c * (TIMELINE_SLICES / 2));
    t->used = (t->used + 1) / 2;
    t->shift++;
}

void timeline_add(struct timeline *t, cycles_t when, enum family f, u64 n)
{
    while (when >> t->shift >= TIMELINE_SLICES)
        widen(t);
    unsigned slice = when >> t->shift;
    t->count[slice][f] += n;
    if (slice >= t->used)
        t->used = slice + 1;
}

u64 timeline_sum(const struct timeline *t, enum family f)
{
    u64 sum = 0;
    for (unsigned i = 0; i < t->used; i++)
        sum += t->count[i][f];
    return sum;
}

u64 timeline_slice_sum(const struct timeline *t, unsigned slice)
{
    u64 sum = 0;
    for (int f = 0; f < FAMILY_COUNT; f++)
        sum += t->count[slice][f];
    return sum;
}

u64 timeline_highest(const struct timeline *t)
{
    u64 max = 0;
    for (unsigned i = 0; i < t->used; i++)
        if (timeline_slice_sum(t, i) > max)
            max = timeline_slice_sum(t, i);
    return max;
}
