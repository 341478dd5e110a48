/* SPDX-License-Identifier: MIT */
/* A wire with a recorder at its end. */
#ifndef EMU_TESTS_WIRE_RECORDER_H
#define EMU_TESTS_WIRE_RECORDER_H

#include <string.h>

#include "devices/net/net.h"

struct seen { unsigned count; u32 len[64]; u8 data[64][2048]; cycles_t when[64]; const struct clock *clock; bool busy; unsigned rooms; int link; };

static inline void record(void *opaque, const u8 *frame, u32 len)
{
    struct seen *s = opaque;
    unsigned i = s->count++ % 64;
    s->len[i] = len;
    s->when[i] = s->clock->now;
    memcpy(s->data[i], frame, len < 2048 ? len : 2048);
}
static inline bool record_ready(void *opaque) { return !((struct seen *)opaque)->busy; }
static inline void record_room(void *opaque) { ((struct seen *)opaque)->rooms++; }
static inline void record_link(void *opaque, bool up) { ((struct seen *)opaque)->link = up; }

static inline void attach(struct net_wire *w, enum net_side side, struct seen *s)
{
    memset(s, 0, sizeof *s);
    s->clock = w->clock;
    s->link = -1;
    net_attach(w, side, &(struct net_end){ record_ready, record, record_room, record_link, s });
}

static inline void run_clock(struct clock *c, cycles_t cycles)
{
    cycles_t end = c->now + cycles;
    while (clock_deadline(c) <= end) {
        if (clock_deadline(c) > c->now)
            c->now = clock_deadline(c);
        clock_run_due(c);
    }
    c->now = end;
}

#endif
