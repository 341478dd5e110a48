/* SPDX-License-Identifier: MIT */
/*
 * A VF's transmit rings (DS 7.2). As in e1000_tx.c the driver puts descriptors before the tail and the adapter catches up, in bursts, so that
 * no ring keeps the machine from going on. Offloads are asked for by context descriptors, of which a ring remembers two.
 */
#include <string.h>

#include "devices/igb/igb.h"

enum { BURST_DESCRIPTORS = 256, BURST_BYTES = 256 << 10, PAUSE_NS = 10000, PACKET_MAX = 16288, STATUS_OFFSET = 12 };

struct descriptor { u64 buffer; u32 command, offload; };
_Static_assert(sizeof(struct descriptor) == IGB_DESCRIPTOR, "16 bytes");

/* --- what the descriptors say --- */

static void take_context(struct igb_tx *t, const u32 word[4])
{
    t->context[word[3] >> TXD_IDX_SHIFT & (IGB_CONTEXTS - 1)] = (struct igb_context){ word[0], word[2], word[3] };
}

/* The first data descriptor of a packet says what is to be done to it. */
static void start_packet(struct igb_tx *t, const struct descriptor *d)
{
    struct igb_packet *p = &t->packet;
    if (p->started)
        return;
    p->started = true;
    p->too_long = false;
    p->len = p->segments = 0;
    p->segmented = d->command & TXD_TSE;
    p->sum_ip = d->offload & TXD_IXSM;
    p->sum_l4 = d->offload & TXD_TXSM;
    p->tagged = d->command & TXD_VLE;
    p->how = t->context[d->offload >> TXD_IDX_SHIFT & (IGB_CONTEXTS - 1)];
}

/* --- data --- */

/* What the bus refuses reads as ones: master abort. */
static void fetch(struct igb_vf *v, u64 from, u8 *to, u32 len)
{
    if (!pci_dma_read(&v->function, from, to, len))
        memset(to, 0xff, len);
}

static void append(struct igb_vf *v, struct igb_packet *p, u64 from, u32 len)
{
    if (p->too_long || len > PACKET_MAX - p->len) {
        p->too_long = true;
        return;
    }
    fetch(v, from, p->data + p->len, len);
    p->len += len;
}

static void append_segmented(struct igb_vf *v, struct igb_packet *p, u64 from, u32 len)
{
    u8 chunk[4096];
    for (u32 n; len; from += n, len -= n) {
        n = len < sizeof chunk ? len : sizeof chunk;
        fetch(v, from, chunk, n);
        igb_segment(v, p, chunk, n);
    }
}

static u32 take_data(struct igb_vf *v, struct igb_tx *t, const struct descriptor *d)
{
    struct igb_packet *p = &t->packet;
    u32 len = d->command & TXD_LENGTH;
    start_packet(t, d);
    (p->segmented ? append_segmented : append)(v, p, d->buffer, len);
    if (!(d->command & TXD_EOP))
        return len;
    if (!p->too_long)
        igb_finish_packet(v, p);
    p->started = false;
    return len;
}

static u32 take_descriptor(struct igb_vf *v, struct igb_tx *t, const struct descriptor *d)
{
    u32 words[4];
    if (d->command & TXD_DEXT && (d->command & TXD_TYPE) == TXD_CONTEXT) {
        memcpy(words, d, sizeof words);
        take_context(t, words);
        return 0;
    }
    return take_data(v, t, d);      /* a legacy one has its length and its end at the same places */
}

/* --- the ring --- */

/* A head or tail beyond the ring is the driver's mistake: there is no work then. Nor without the PF's leave. */
static u32 waiting(const struct igb_vf *v, const struct igb_queue *q)
{
    u32 size = igb_ring_size(q);
    if (!(q->dctl & IGB_DCTL_ENABLE) || !(igb_get(v->port, PF_VFTE) >> v->index & 1) || q->head >= size || q->tail >= size)
        return 0;
    return q->tail >= q->head ? q->tail - q->head : size - q->head + q->tail;
}

bool igb_tx_waits(const struct igb_vf *v)
{
    for (unsigned n = 0; n < IGB_VF_QUEUES; n++)
        if (waiting(v, &v->tx[n].q))
            return true;
    return false;
}

struct burst { u32 descriptors, bytes; bool told; };

static bool do_one(struct igb_vf *v, struct igb_tx *t, struct burst *b)
{
    struct descriptor d;
    u64 at = igb_descriptor_at(&t->q, t->q.head);
    const u32 done = TXD_DD;
    if (!pci_dma_read(&v->function, at, &d, sizeof d))
        return false;           /* a ring without memory stands still */
    b->bytes += take_descriptor(v, t, &d);
    b->descriptors++;
    t->q.head = t->q.head + 1 >= igb_ring_size(&t->q) ? 0 : t->q.head + 1;
    if (d.command & TXD_RS) {
        pci_dma_write(&v->function, at + STATUS_OFFSET, &done, sizeof done);
        b->told = true;
    }
    return true;
}

/* True: more is to be done, later. */
static bool burst(struct igb_vf *v, unsigned n)
{
    struct igb_tx *t = &v->tx[n];
    struct burst b = { 0 };
    bool room = true, readable = true;
    while (waiting(v, &t->q) && b.descriptors < BURST_DESCRIPTORS && b.bytes < BURST_BYTES && room && readable) {
        room = !v->wire || net_room(v->wire, NET_NIC);
        readable = room && do_one(v, t, &b);
    }
    if (b.told)
        igb_interrupt(v, CAUSE_TX, n);
    return waiting(v, &t->q) && room && readable;
}

void igb_transmit(struct igb_vf *v)
{
    bool more = false;
    if (!v->clock || timer_armed(&v->tx_go_on))
        return;
    for (unsigned n = 0; n < IGB_VF_QUEUES; n++)
        more |= burst(v, n);
    if (more)
        timer_set(v->clock, &v->tx_go_on, v->clock->now + clock_ns_to_cycles(v->clock, PAUSE_NS));
}
