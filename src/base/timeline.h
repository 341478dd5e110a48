/* SPDX-License-Identifier: MIT */
/*
 * Events over time: counts by family for each slice of virtual time. There are at most TIMELINE_SLICES of them: when a
 * run outgrows them, neighbours are added together and a slice is twice as long. So memory is constant, and the sums are exact.
 */
#ifndef EMU_BASE_TIMELINE_H
#define EMU_BASE_TIMELINE_H

#include "base/ledger.h"

enum { TIMELINE_SLICES = 200, TIMELINE_FIRST_SHIFT = 10 };

struct timeline {
    struct ledger_observer observer;        /* first; to be put into the chain of a ledger */
    unsigned shift;                         /* a slice is 1 << shift cycles */
    unsigned used;                          /* slices up to the last that has an event */
    u64 count[TIMELINE_SLICES][FAMILY_COUNT];
};

void timeline_init(struct timeline *t);
/* The event belongs to the slice in which it began. */
void timeline_add(struct timeline *t, cycles_t when, enum family f, u64 n);
static inline cycles_t timeline_slice(const struct timeline *t) { return (cycles_t)1 << t->shift; }
u64 timeline_sum(const struct timeline *t, enum family f);
u64 timeline_slice_sum(const struct timeline *t, unsigned slice);
u64 timeline_highest(const struct timeline *t);  /* events in the slice that has most */

#endif
