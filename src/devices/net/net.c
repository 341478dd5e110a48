/* SPDX-License-Identifier: MIT */
#include "devices/net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct net_frame {
    struct net_frame *next;
    cycles_t due;
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

static void tell_sender(struct net_lane *l)
{
    const struct net_end *sender = &l->wire->lane[l == &l->wire->lane[NET_NIC] ? NET_BACKEND : NET_NIC].to;
    if (!l->refused || !has_room(l))
        return;
    l->refused = false;
    if (sender->room)
        sender->room(sender->opaque);
}

static bool is_ready(const struct net_lane *l) { return !l->to.ready || l->to.ready(l->to.opaque); }

static void arrive(void *opaque, cycles_t when)
{
    struct net_lane *l = opaque;
    u32 budget = NET_QUEUE_FRAMES;      /* the sender may answer at once: the clock has other timers too */
    while (l->first && l->first->due <= l->wire->clock->now && is_ready(l) && budget--) {
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
    if (l->first && !timer_armed(&l->timer))
        timer_set(w->clock, &l->timer, l->first->due);
}

/* --- sending --- */

/* When the frame's last bit is there. */
static cycles_t transmit(struct net_lane *l, u32 len, cycles_t ready)
{
    const struct net_wire *w = l->wire;
    cycles_t start = l->busy_until > ready ? l->busy_until : ready;
    cycles_t bits = w->bits_per_second ? clock_ticks_to_cycles(w->clock, 8 * (u64)len, w->bits_per_second) : 0;
    l->busy_until = start + bits;
    return l->busy_until + w->latency;
}

static void enqueue(struct net_lane *l, const u8 *data, u32 len, cycles_t ready)
{
    u32 padded = len < NET_FRAME_MIN ? NET_FRAME_MIN : len;
    struct net_frame *f = malloc(sizeof *f + padded);
    if (!f) {
        l->dropped++;
        return;
    }
    f->next = NULL;
    f->len = padded;
    f->due = transmit(l, padded, ready);
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

void net_send_after(struct net_wire *w, enum net_side from, const u8 *frame, u32 len, cycles_t ready)
{
    struct net_lane *l = lane_from(w, from);
    if (!w->link || !l->to.receive || !len || len > NET_FRAME_MAX || !has_room(l)) {
        l->dropped++;
        return;
    }
    enqueue(l, frame, len, ready);
    net_wake(w, from == NET_NIC ? NET_BACKEND : NET_NIC);
}

bool net_room(struct net_wire *w, enum net_side from)
{
    struct net_lane *l = lane_from(w, from);
    l->refused = !has_room(l);
    return !l->refused;
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
        *l = (struct net_lane){ .wire = w, .last = &l->first, .timer = { .fire = arrive, .opaque = l } };
    }
    return w;
}

static void empty(struct net_lane *l)
{
    timer_cancel(l->wire->clock, &l->timer);
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
