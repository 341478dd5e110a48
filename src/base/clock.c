/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;

void clock_init(struct clock *c, u64 hz)
{
    memset(c, 0, sizeof *c);
    c->hz = hz;
}

void clock_fini(struct clock *c)
{
    free(c->heap);
    c->heap = NULL;
    c->len = c->cap = 0;
}

/* The heap's order: earlier first, and first set first among equals. */
static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->when != b->when ? a->when < b->when : a->seq < b->seq;
}

static void place(struct clock *c, unsigned i, struct timer *t)
{
    c->heap[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct clock *c, unsigned i, struct timer *t)
{
    while (i && earlier(t, c->heap[(i - 1) / 2])) {
        place(c, i, c->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(c, i, t);
}

static void sift_down(struct clock *c, unsigned i, struct timer *t)
{
    for (unsigned kid; (kid = 2 * i + 1) < c->len; i = kid) {
        if (kid + 1 < c->len && earlier(c->heap[kid + 1], c->heap[kid]))
            kid++;
        if (!earlier(c->heap[kid], t))
            break;
        place(c, i, c->heap[kid]);
    }
    place(c, i, t);
}

void timer_cancel(struct clock *c, struct timer *t)
{
    if (!t->slot)
        return;
    unsigned i = t->slot - 1;
    struct timer *last = c->heap[--c->len];
    t->slot = 0;
    if (last == t)
        return;
    if (i && earlier(last, c->heap[(i - 1) / 2]))
        sift_up(c, i, last);
    else
        sift_down(c, i, last);
}

void timer_set(struct clock *c, struct timer *t, cycles_t when)
{
    timer_cancel(c, t);
    if (c->len == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->heap = realloc(c->heap, c->cap * sizeof *c->heap);
    }
    t->when = when;
    t->seq = c->seq++;
    sift_up(c, c->len++, t);
    if (t == c->heap[0] && c->sooner)
        c->sooner(c->sooner_opaque);
}

unsigned clock_run_due(struct clock *c)
{
    unsigned fired = 0;
    while (c->len && c->heap[0]->when <= c->now) {
        struct timer *t = c->heap[0];
        timer_cancel(c, t);
        t->fire(t->opaque, t->when);
        fired++;
    }
    return fired;
}

u64 clock_cycles_to_ticks(const struct clock *c, cycles_t cycles, u64 hz)
{
    return (u128)cycles * hz / c->hz;
}

cycles_t clock_ticks_to_cycles(const struct clock *c, u64 ticks, u64 hz)
{
    return ((u128)ticks * c->hz + hz - 1) / hz;
}

u64 clock_cycles_to_ns(const struct clock *c, cycles_t cycles)
{
    return clock_cycles_to_ticks(c, cycles, 1000000000);
}

cycles_t clock_ns_to_cycles(const struct clock *c, u64 ns)
{
    return clock_ticks_to_cycles(c, ns, 1000000000);
}
