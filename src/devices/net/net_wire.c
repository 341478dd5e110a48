/* SPDX-License-Identifier: MIT */
/*
 * The modelled wire: Ethernet of a given speed in virtual time, the host's work in front of it (net_carrier.c), and at its far end a
 * peer that is infinitely fast: it swallows frames, sends them back, or sends its own. Or there is another adapter (net_wire_cable.c).
 *
 * A frame's time on the wire is that of its bytes and of the 24 that Ethernet adds: preamble 8, checksum 4, gap 12 (IEEE 802.3,
 * 3.1.1, 4.4.2). So 10 Gb/s are 812,743 frames of 1514 bytes a second, which carry 9.75 Gb/s of IP packets.
 */
#include "devices/net/net_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_wire_cable.h"

enum { ETHERNET_GAP = 24, ADDRESSES = 12, HEADER = 14, TEST_TYPE = 0x88b5 /* IEEE 802, local experimental */ };
enum { DEFAULT_LATENCY_NS = 1000, SOURCE_AHEAD = 64 };
#define DEFAULT_SPEED 10000000000u

enum peer { PEER_SINK, PEER_ECHO, PEER_SOURCE, PEER_CABLE };

struct wire {
    struct net_backend head;
    struct net_carrier carrier;
    struct ledger *ledger;
    enum peer peer;
    bool vhost, zerocopy;
    u64 speed, latency_ns;
    u32 size; u64 rate;             /* of a source: bytes of a frame; frames a second, 0: as fast as the wire */
    struct timer next;
    u8 frame[NET_FRAME_MAX];        /* that a source sends */
    bool started;
    const char *cable_name;         /* while it is opened */
    struct net_cable *cable;
    struct net_wire_counts counts;
};

/* --- peers: what comes from the adapter --- */

static void turn_round(u8 *frame)
{
    u8 from[6];
    memcpy(from, frame + 6, 6);
    memcpy(frame + 6, frame, 6);
    memcpy(frame, from, 6);
}

static void echo(struct wire *w, const u8 *frame, u32 len)
{
    u8 copy[NET_FRAME_MAX];
    memcpy(copy, frame, len);
    turn_round(copy);
    net_send(w->head.wire, NET_BACKEND, copy, len);
}

/* At the wire's own speed: some frames ahead, which wait in its queue. */
static void source_more(struct wire *w)
{
    struct net_lane *l = &w->head.wire->lane[NET_NIC];
    u32 budget = w->rate ? 1 : SOURCE_AHEAD;
    while (budget-- && l->frames < SOURCE_AHEAD)
        net_send(w->head.wire, NET_BACKEND, w->frame, w->size);
}

static void source_due(void *opaque, cycles_t when)
{
    struct wire *w = opaque;
    struct clock *c = w->head.wire->clock;
    u64 bits = 8 * (u64)(w->size + ETHERNET_GAP) * (SOURCE_AHEAD / 2);
    cycles_t pause = w->rate ? c->hz / w->rate : clock_ticks_to_cycles(c, bits, w->speed);
    source_more(w);
    timer_set(c, &w->next, when + (pause ? pause : 1));
}

/* A source learns from the first frame whom to send to, and begins. */
static void source_start(struct wire *w, const u8 *frame)
{
    if (w->started)
        return;
    w->started = true;
    memcpy(w->frame, frame, ADDRESSES);
    turn_round(w->frame);
    w->frame[12] = TEST_TYPE >> 8;
    w->frame[13] = TEST_TYPE & 0xff;
    source_due(w, w->head.wire->clock->now);
}

static void receive(void *opaque, const u8 *frame, u32 len)
{
    struct wire *w = opaque;
    w->counts.frames++;
    w->counts.bytes += len;
    w->counts.first = w->counts.frames == 1 ? w->head.wire->clock->now : w->counts.first;
    w->counts.last = w->head.wire->clock->now;
    if (w->peer == PEER_ECHO && len >= HEADER)
        echo(w, frame, len);
    if (w->peer == PEER_SOURCE && len >= HEADER)
        source_start(w, frame);
    if (w->peer == PEER_CABLE)
        net_cable_carry(w->cable, w->head.wire, frame, len);
}

static bool ready(void *opaque)
{
    struct wire *w = opaque;
    return w->peer != PEER_CABLE || net_cable_ready(w->cable, w->head.wire);
}

static void room(void *opaque)
{
    struct wire *w = opaque;
    if (w->peer == PEER_CABLE)
        net_cable_wake(w->cable, w->head.wire);
}

/* --- options --- */

/* "10G", "100M", "1000000000": bits a second. */
static int set_speed(void *target, const char *value, struct error *err)
{
    struct wire *w = target;
    char *end;
    w->speed = strtoull(value, &end, 10);
    u64 unit = *end == 'G' ? 1000000000u : *end == 'M' ? 1000000u : 1;
    end += unit > 1;
    if (end == value || *end || w->speed > 1000000000000u / unit || !(w->speed *= unit))
        return error_set(err, "-netdev wire,speed=%s: give bits a second, as 10G, 1G or 100M", value);
    return 0;
}

static int set_latency(void *target, const char *value, struct error *err)
{
    struct wire *w = target;
    char *end;
    u64 n = strtoull(value, &end, 10), unit = strcmp(end, "us") ? 1 : 1000;
    w->latency_ns = n * unit;
    return end != value && (!*end || !strcmp(end, "ns") || unit > 1) && n <= 1000000000 / unit
               ? 0 : error_set(err, "-netdev wire,latency=%s: give a time, as 500ns or 5us", value);
}

/* "source:SIZE" or "source:SIZE@RATE". */
static int set_source(struct wire *w, const char *value, struct error *err)
{
    char *end = NULL;
    u64 size = strncmp(value, "source:", 7) ? 0 : strtoull(value + 7, &end, 10);
    w->peer = PEER_SOURCE;
    w->size = size;
    w->rate = end && *end == '@' ? strtoull(end + 1, &end, 10) : 0;
    return end && !*end && size >= NET_FRAME_MIN && size <= 9014 && w->rate <= 100000000
               ? 0 : error_set(err, "-netdev wire,peer=%s: give sink, echo, source:BYTES (60 to 9014) or source:BYTES@RATE", value);
}

static int set_peer(void *target, const char *value, struct error *err)
{
    struct wire *w = target;
    w->peer = strcmp(value, "echo") == 0 ? PEER_ECHO : PEER_SINK;
    return w->peer == PEER_ECHO || strcmp(value, "sink") == 0 ? 0 : set_source(w, value, err);
}

static int set_vhost(void *target, const char *value, struct error *err)
{
    return net_take_switch(&((struct wire *)target)->vhost, "wire", "vhost", value, err);
}

static int set_zerocopy(void *target, const char *value, struct error *err)
{
    return net_take_switch(&((struct wire *)target)->zerocopy, "wire", "zerocopy", value, err);
}

static int set_cable(void *target, const char *value, struct error *err)
{
    struct wire *w = target;
    w->cable_name = value;
    return *value && strlen(value) < NET_CABLE_NAME ? 0 : error_set(err, "-netdev wire,cable=%s: give a name of 1 to %d letters", value, NET_CABLE_NAME - 1);
}

static const struct net_option options[] = {
    { "cable", set_cable }, { "speed", set_speed }, { "latency", set_latency }, { "peer", set_peer }, { "vhost", set_vhost }, { "zerocopy", set_zerocopy },
    { NULL, NULL },
};

/* --- its life --- */

static void plug(struct wire *w)
{
    struct net_wire *n = w->head.wire;
    net_set_speed(n, w->speed, clock_ns_to_cycles(n->clock, w->latency_ns));
    n->gap = ETHERNET_GAP;
    w->next = (struct timer){ .fire = source_due, .opaque = w };
    net_attach(n, NET_BACKEND, &(struct net_end){ .ready = ready, .receive = receive, .room = room, .opaque = w });
}

static int check(const struct wire *w, struct error *err)
{
    return w->zerocopy && !w->vhost ? error_set(err, "-netdev wire,zerocopy=on: it is vhost that copies nothing; add vhost=on") : 0;
}

static int join(struct wire *w, struct net_room *room, struct error *err)
{
    if (!w->cable_name)
        return 0;
    if (w->peer != PEER_SINK)
        return error_set(err, "-netdev wire,cable=%s: the adapter at its other end is the peer; leave out peer=", w->cable_name);
    if (!room->cables)
        return error_set(err, "-netdev wire,cable=%s: there is no other machine here", w->cable_name);
    w->peer = PEER_CABLE;
    w->cable = net_cable_join(room->cables, w->cable_name, w->head.wire, w->speed, w->latency_ns, err);
    w->cable_name = NULL;
    return w->cable ? 0 : -1;
}

static struct net_backend *wire_open(struct net_wire *n, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    struct wire *w = net_backend_new(&net_wire_ops, n, sizeof *w, err);
    if (!w)
        return NULL;
    w->speed = DEFAULT_SPEED;
    w->latency_ns = DEFAULT_LATENCY_NS;
    w->ledger = room->ledger;
    if (net_take_options("wire", options, w, word, nwords, err) || check(w, err) || join(w, room, err)) {
        free(w);
        return NULL;
    }
    plug(w);
    return &w->head;
}

static void wire_close(struct net_backend *b)
{
    struct wire *w = (struct wire *)b;
    timer_cancel(b->wire->clock, &w->next);
    if (w->cable)
        net_cable_leave(w->cable, b->wire);
    b->wire->carrier = NULL;
    net_attach(b->wire, NET_BACKEND, NULL);
    free(w);
}

bool net_wire_serve(struct net_backend *b, enum net_path path)
{
    struct wire *w = (struct wire *)b;
    if (b->ops != &net_wire_ops || !w->ledger)
        return false;
    bool vhost = w->vhost && path == NET_PATH_VIRTIO;
    net_carrier_init(&w->carrier, vhost ? (w->zerocopy ? NET_PATH_VHOST_ZEROCOPY : NET_PATH_VHOST) : path, w->ledger);
    b->wire->carrier = path == NET_PATH_DIRECT ? NULL : &w->carrier;
    return vhost;
}

bool net_wire_counts(const struct net_backend *b, struct net_wire_counts *c)
{
    if (b->ops != &net_wire_ops)
        return false;
    *c = ((const struct wire *)b)->counts;
    return true;
}

const struct net_backend_ops net_wire_ops = {
    .name = "wire", .help = "modelled Ethernet in virtual time, with a peer", .open = wire_open, .close = wire_close,
};
