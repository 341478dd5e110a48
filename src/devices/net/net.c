/* SPDX-License-Identifier: MIT */
#include "devices/net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_carrier.h"

struct net_frame {
    struct net_frame *next;
    cycles_t due;
    bool carried;           /* through the host too: `due` is when it is at the adapter */
    u32 len;
    u8 data[];
};

static struct net_lane *lane_from(struct net_wire *w, enum net_side from) { return &w->lane[from == NET_NIC ? NET_BACKEND : NET_NIC]; }

static bool has_room(const struct net_lane *l) { return l->frames < NET_QUEUE_FRAMES && l->bytes < NET_QUEUE_BYTES; }

/* --- arrival --- */

static struct net_frame *take_first(struct net_lane *l)
{
    struct net_frame *f = l->first;
    l->first = f->next;
    if (!l->first)
        l->last = &l->first;
    l->frames--;
    l->bytes -= f->len;
    return f;
}

/* The carrier of a lane that leads out of the adapter, or of one that leads in. */
static struct net_carrier *carrier_out(const struct net_lane *l) { return l == &l->wire->lane[NET_BACKEND] ? l->wire->carrier : NULL; }
static struct net_carrier *carrier_in(const struct net_lane *l) { return l == &l->wire->lane[NET_NIC] ? l->wire->carrier : NULL; }

static void now_has_room(void *opaque, cycles_t when)
{
    struct net_lane *l = opaque;
    const struct net_end *sender = &l->wire->lane[l == &l->wire->lane[NET_NIC] ? NET_BACKEND : NET_NIC].to;
    l->refused = false;
    if (sender->room)
        sender->room(sender->opaque);
}

/* The host's thread slept while the queue was full; it is woken when half of it is gone, not for each frame. */
static void tell_sender(struct net_lane *l)
{
    struct net_carrier *c = carrier_out(l);
    if (!l->refused || !has_room(l) || timer_armed(&l->free) || (c && l->frames > NET_QUEUE_FRAMES / 2))
        return;
    if (!c || c->out->same_cpu) {
        now_has_room(l, l->wire->clock->now);
        return;
    }
    l->goes_on = true;
    timer_set(l->wire->clock, &l->free, worker_call(c->out, l->wire->clock->now));
}

/* Through the host to the adapter: the frame was at the host when it was due, or the guest had no place for it until just now. */
static bool is_carried(struct net_lane *l, struct net_frame *f)
{
    struct net_carrier *c = carrier_in(l);
    if (!c || f->carried)
        return true;
    f->due = net_carry_in(c, f->len, f->due > l->awake ? f->due : l->awake);
    f->carried = true;
    return f->due <= l->wire->clock->now;
}

static bool is_ready(const struct net_lane *l) { return !l->to.ready || l->to.ready(l->to.opaque); }

static void arrive(void *opaque, cycles_t when)
{
    struct net_lane *l = opaque;
    u32 budget = NET_QUEUE_FRAMES;      /* the sender may answer at once: the clock has other timers too */
    while (l->first && l->first->due <= l->wire->clock->now && is_ready(l) && is_carried(l, l->first) && budget--) {
        struct net_frame *f = take_first(l);
        if (l->to.receive)
            l->to.receive(l->to.opaque, f->data, f->len);
        free(f);
    }
    if (l->first && is_ready(l))
        timer_set(l->wire->clock, &l->timer, l->first->due);
    tell_sender(l);
}

void net_wake(struct net_wire *w, enum net_side side)
{
    struct net_lane *l = &w->lane[side];
    l->awake = w->clock->now;
    if (l->first && !timer_armed(&l->timer))
        timer_set(w->clock, &l->timer, l->first->due);
}

/* --- sending --- */

/* When the host has brought it to the wire, which has nothing to do with the adapter's own time. */
static cycles_t carry_out(struct net_lane *l, u32 len, cycles_t ready)
{
    struct net_carrier *c = carrier_out(l);
    cycles_t now = l->wire->clock->now;
    return c ? net_carry_out(c, len, l->goes_on && c->out->until < now ? c->out->until : now) : ready;
}

/* When the frame's last bit is there. Fractions of a cycle add up: 10 Gb/s are 812,743 full frames a second, not about as many. */
static cycles_t transmit(struct net_lane *l, u32 len, cycles_t ready)
{
    const struct net_wire *w = l->wire;
    ready = carry_out(l, len, ready);
    cycles_t start = l->busy_until > ready ? l->busy_until : ready;
    if (!w->bits_per_second)
        return (l->busy_until = start) + w->latency;
    if (start == ready)
        l->fraction = 0;
    unsigned __int128 bits = (unsigned __int128)8 * (len + w->gap) * w->clock->hz + l->fraction;
    l->busy_until = start + (cycles_t)(bits / w->bits_per_second);
    l->fraction = bits % w->bits_per_second;
    return l->busy_until + (l->fraction != 0) + w->latency;
}

static u32 padded_len(u32 len) { return len < NET_FRAME_MIN ? NET_FRAME_MIN : len; }

static void enqueue(struct net_lane *l, const u8 *data, u32 len, cycles_t due)
{
    u32 padded = padded_len(len);
    struct net_frame *f = malloc(sizeof *f + padded);
    if (!f) {
        l->dropped++;
        return;
    }
    f->next = NULL;
    f->carried = false;
    f->len = padded;
    f->due = due;
    memcpy(f->data, data, len);
    memset(f->data + len, 0, padded - len);
    *l->last = f;
    l->last = &f->next;
    l->frames++;
    l->bytes += padded;
    l->sent++;
    l->sent_bytes += padded;
    for (struct net_watcher *x = l->wire->watchers; x; x = x->next)
        x->seen(x->opaque, l->wire->clock->now, f->data, padded);
}

void net_send(struct net_wire *w, enum net_side from, const u8 *frame, u32 len) { net_send_after(w, from, frame, len, w->clock->now); }

static bool can_send(struct net_lane *l, u32 len)
{
    bool can = l->wire->link && l->to.receive && len && len <= NET_FRAME_MAX && has_room(l);
    l->dropped += !can;
    return can;
}

void net_send_after(struct net_wire *w, enum net_side from, const u8 *frame, u32 len, cycles_t ready)
{
    struct net_lane *l = lane_from(w, from);
    if (!can_send(l, len))
        return;
    enqueue(l, frame, len, transmit(l, padded_len(len), ready));
    net_wake(w, from == NET_NIC ? NET_BACKEND : NET_NIC);
}

void net_hand_over(struct net_wire *w, enum net_side from, const u8 *frame, u32 len, cycles_t due)
{
    struct net_lane *l = lane_from(w, from);
    if (!can_send(l, len))
        return;
    enqueue(l, frame, len, due);
    net_wake(w, from == NET_NIC ? NET_BACKEND : NET_NIC);
}

bool net_room(struct net_wire *w, enum net_side from)
{
    struct net_lane *l = lane_from(w, from);
    struct net_carrier *c = carrier_out(l);
    bool busy = c && worker_busy(c->out);
    l->refused = busy || !has_room(l);
    if (busy && has_room(l)) {
        l->goes_on = true;
        timer_set(w->clock, &l->free, c->out->until);
    }
    return !l->refused;
}

cycles_t net_doorbell(struct net_wire *w, cycles_t otherwise)
{
    struct net_lane *l = w ? lane_from(w, NET_NIC) : NULL;
    struct net_carrier *c = l ? carrier_out(l) : NULL;
    if (!c || c->out->same_cpu)
        return otherwise;
    l->goes_on = true;
    return worker_call(c->out, w->clock->now) - w->clock->now;
}

/* --- the wire itself --- */

struct net_wire *net_new(const char *id, struct clock *clock)
{
    struct net_wire *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    snprintf(w->id, sizeof w->id, "%s", id);
    w->clock = clock;
    w->link = true;
    for (int side = 0; side < 2; side++) {
        struct net_lane *l = &w->lane[side];
        *l = (struct net_lane){ .wire = w, .last = &l->first, .timer = { .fire = arrive, .opaque = l },
                                .free = { .fire = now_has_room, .opaque = l } };
    }
    return w;
}

static void empty(struct net_lane *l)
{
    timer_cancel(l->wire->clock, &l->timer);
    timer_cancel(l->wire->clock, &l->free);
    while (l->first)
        free(take_first(l));
    tell_sender(l);
}

void net_free(struct net_wire *w)
{
    for (int side = 0; w && side < 2; side++)
        w->lane[side].to = (struct net_end){ 0 };
    for (int side = 0; w && side < 2; side++)
        empty(&w->lane[side]);
    free(w);
}

void net_attach(struct net_wire *w, enum net_side side, const struct net_end *end)
{
    w->lane[side].to = end ? *end : (struct net_end){ 0 };
    if (!end)
        empty(&w->lane[side]);
}

void net_watch(struct net_wire *w, struct net_watcher *watcher)
{
    watcher->next = w->watchers;
    w->watchers = watcher;
}

void net_set_link(struct net_wire *w, bool up)
{
    if (w->link == up)
        return;
    w->link = up;
    for (int side = 0; side < 2; side++) {
        if (!up)
            empty(&w->lane[side]);
        if (w->lane[side].to.link)
            w->lane[side].to.link(w->lane[side].to.opaque, up);
    }
}

void net_set_speed(struct net_wire *w, u64 bits_per_second, cycles_t latency)
{
    w->bits_per_second = bits_per_second;
    w->latency = latency;
}
