/* SPDX-License-Identifier: MIT */
/*
 * Lab 7: a machine with a network adapter, and somebody at the far end of the wire who looks at every frame. The frames say themselves
 * what they should be (labs/lab7/lib/frames.c makes them), so that the lines printed here say what became of each:
 *
 *     addresses 12 | type 88b5h | number u32 | length u16 | byte i is number * 31 + i * 7
 *
 * Exits are counted from the first request BEGIN to the last END; a driver that asks too can only make it longer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench_load.h"
#include "cli/grade/grade_service.h"
#include "devices/net/net_wire.h"
#include "machine/network.h"

enum { OP_BEGIN, OP_END };
enum { AT_TYPE = 12, AT_NUMBER = 14, AT_LENGTH = 18, AT_DATA = 20, RING = 1024 };

struct labnic {
    struct net_watcher watcher;
    const struct ledger *ledger;    /* of the machine that has the adapter */
    u64 frames, spoiled, out_of_order, next;
    u64 begin, end;                 /* exits up to there */
    bool begun;
};

static u64 exits(const struct labnic *n)
{
    u64 sum = 0;
    for (unsigned e = 0; n->ledger && e < EV_COUNT; e++)
        if (load_is_exit(e))
            sum += n->ledger->count[e];
    return sum;
}

static u32 word(const u8 *at, unsigned bytes)
{
    u32 value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (u32)at[i] << (8 * i);
    return value;
}

static bool is_intact(const u8 *frame, u32 len)
{
    static const u8 type[2] = { 0x88, 0xb5 };
    if (len < NET_FRAME_MIN || memcmp(frame + AT_TYPE, type, 2) || word(frame + AT_LENGTH, 2) != len)
        return false;
    u32 number = word(frame + AT_NUMBER, 4);
    for (u32 i = AT_DATA; i < len; i++)
        if (frame[i] != (u8)(number * 31 + i * 7))
            return false;
    return true;
}

static void seen(void *opaque, cycles_t when, const u8 *frame, u32 len)
{
    struct labnic *n = opaque;
    n->frames++;
    if (!is_intact(frame, len)) {
        n->spoiled++;
        n->next++;
        return;
    }
    u32 number = word(frame + AT_NUMBER, 4);
    n->out_of_order += number != n->next;
    n->next = (u64)number + 1;
}

static void plug(struct vm_config *c, const char *model)
{
    c->netdev[c->nnetdevs++] = (struct vm_netdev){ .type = "wire", .id = "wire" };
    c->nic[c->nnics++] = (struct vm_nic){ .model = model, .netdev = "wire", .queue_size = RING };
}

static void machine_e1000(struct vm_config *c) { plug(c, "e1000"); }
static void machine_virtio(struct vm_config *c) { plug(c, "virtio-net-pci"); }

static int start(struct service *s, struct error *err)
{
    struct labnic *n = s->self = calloc(1, sizeof *n);
    return n ? 0 : error_set(err, "grade: no memory");
}

static void attach(struct service *s)
{
    struct labnic *n = s->self;
    n->watcher = (struct net_watcher){ .seen = seen, .opaque = n };
    n->ledger = &s->asker->ledger;
    net_watch(network_wire(s->asker, 0), &n->watcher);
}

static void call(struct service *s, struct service_request *r)
{
    struct labnic *n = s->self;
    if (r->op == OP_BEGIN && !n->begun) {
        n->begun = true;
        n->begin = n->end = exits(n);
    } else if (r->op == OP_END && n->begun) {
        n->end = exits(n);
    } else {
        r->result = -1;
    }
}

static void say(struct service *s, char *to, size_t size)
{
    const struct labnic *n = s->self;
    snprintf(to, size, "@wire %" PRIu64 " frames, %" PRIu64 " spoiled, %" PRIu64 " out of order\n@count exits %" PRIu64 "\n", n->frames, n->spoiled,
             n->out_of_order, n->end - n->begin);
}

static void end(struct service *s) { free(s->self); }

const struct service_ops service_e1000 = { "e1000", start, call, end, machine_e1000, attach, say };
const struct service_ops service_virtio_net = { "virtio-net", start, call, end, machine_virtio, attach, say };
