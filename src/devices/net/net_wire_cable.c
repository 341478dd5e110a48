/* SPDX-License-Identifier: MIT */
/*
 * The two ends may be in machines with clocks of their own. Machines of one run take turns, and while one has its turn, the others' time stands
 * still; afterwards it passes for all. So a frame that comes in the middle of a turn comes to a machine that is not there yet: it is
 * handed over with the time at which it arrives, which that machine's clock will reach, or will find it has passed. Nothing depends on the host.
 *
 * A receiver whose queue is full holds up the sender, as flow control does (IEEE 802.3, annex 31B). One whose time does not pass any more has
 * been turned off, and holds up nobody.
 */
#include "devices/net/net_wire_cable.h"

#include <stdlib.h>
#include <string.h>

#define GONE_NS 1000000000u     /* many turns */

struct net_cable {
    struct net_cable *next, **all;
    char name[NET_CABLE_NAME];
    struct net_wire *end[2];        /* NULL: loose */
    u64 bits_per_second, latency_ns;
};

static struct net_wire *other_end(const struct net_cable *c, const struct net_wire *w) { return c->end[c->end[0] == w]; }
static u64 now_ns(const struct net_wire *w) { return clock_cycles_to_ns(w->clock, w->clock->now); }

static struct net_cable *find_or_make(struct net_cable **all, const char *name)
{
    struct net_cable *c = *all;
    while (c && strcmp(c->name, name))
        c = c->next;
    if (c || !(c = calloc(1, sizeof *c)))
        return c;
    strncpy(c->name, name, sizeof c->name - 1);
    c->next = *all;
    c->all = all;
    return *all = c;
}

struct net_cable *net_cable_join(struct net_cable **all, const char *name, struct net_wire *w, u64 bits_per_second, u64 latency_ns, struct error *err)
{
    struct net_cable *c = find_or_make(all, name);
    bool first = c && !c->end[0] && !c->end[1];
    if (!c || (c->end[0] && c->end[1]))
        error_set(err, "-netdev wire,cable=%s: has two ends, and both are plugged in; give another name", name);
    else if (!first && (c->bits_per_second != bits_per_second || c->latency_ns != latency_ns))
        error_set(err, "-netdev wire,cable=%s: is one cable; give both its ends the same speed= and latency=", name);
    else {
        c->bits_per_second = bits_per_second;
        c->latency_ns = latency_ns;
        c->end[c->end[0] != NULL] = w;
        return c;
    }
    return NULL;
}

void net_cable_leave(struct net_cable *c, const struct net_wire *w)
{
    struct net_cable **at = c->all;
    c->end[c->end[0] != w] = NULL;
    if (c->end[0] || c->end[1])
        return;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free(c);
}

void net_cable_carry(struct net_cable *c, const struct net_wire *from, const u8 *frame, u32 len)
{
    struct net_wire *to = other_end(c, from);
    if (to)
        net_hand_over(to, NET_BACKEND, frame, len, clock_ns_to_cycles(to->clock, now_ns(from)));
}

bool net_cable_ready(struct net_cable *c, const struct net_wire *from)
{
    struct net_wire *to = other_end(c, from);
    return !to || now_ns(from) > now_ns(to) + GONE_NS || net_room(to, NET_BACKEND);
}

void net_cable_wake(struct net_cable *c, const struct net_wire *at)
{
    struct net_wire *from = other_end(c, at);
    if (from)
        net_wake(from, NET_BACKEND);
}
