/* SPDX-License-Identifier: MIT */
/*
 * The transmit ring (SDM 3.3). The driver puts descriptors in front of TDT, the adapter takes them from TDH on until it has caught up.
 * A packet is put together from one or several of them and goes at the one that says EOP.
 *
 * A write of TDT starts the work at once, but a burst of it only: then the guest has its turn, and the rest follows by a timer. So
 * no ring, however long or wrong, keeps the machine from going on.
 */
#include <string.h>

#include "devices/e1000/e1000.h"

enum { DELAY_UNIT_NS = 1024, BURST_DESCRIPTORS = 256, BURST_BYTES = 256 << 10, PAUSE_NS = 10000, PACKET_MAX = 16288 };
enum { CMD_EOP = 0x01, CMD_IC = 0x04, CMD_TSE = 0x04, CMD_RS = 0x08, CMD_RPS = 0x10, CMD_DEXT = 0x20, CMD_VLE = 0x40, CMD_IDE = 0x80 };
enum { TYPE_CONTEXT = 0, TYPE_DATA = 1 };
enum { POPTS_IXSM = 0x01, POPTS_TXSM = 0x02 };
enum { STATUS_DD = 0x01, STATUS_OFFSET = 12 };
enum { TUCMD_TSE = 0x04 };

struct descriptor { u64 buffer; u32 lower, upper; };
_Static_assert(sizeof(struct descriptor) == DESCRIPTOR, "16 bytes");

static u8 command(const struct descriptor *d) { return d->lower >> 24; }

/* --- what the descriptors say --- */

/* SDM 3.3.6: for the packets to come. */
static void take_context(struct e1000 *e, const struct descriptor *d)
{
    u32 ip = d->buffer, l4 = d->buffer >> 32;
    struct e1000_context *c = command(d) & TUCMD_TSE ? &e->segmenting : &e->plain;
    *c = (struct e1000_context){
        .ip = { ip, ip >> 8, ip >> 16 }, .l4 = { l4, l4 >> 8, l4 >> 16 }, .command = command(d), .header = d->upper >> 8, .mss = d->upper >> 16,
    };
}

static void start_packet(struct e1000 *e)
{
    struct e1000_packet *p = &e->packet;
    if (p->started)
        return;
    p->started = true;
    p->segmented = p->sum_ip = p->sum_l4 = p->tagged = p->too_long = false;
    p->len = p->segments = 0;
}

/* SDM 3.3.7: the first data descriptor of a packet says what is to be done to it. */
static void take_data_options(struct e1000 *e, const struct descriptor *d)
{
    struct e1000_packet *p = &e->packet;
    if (p->started)
        return;
    start_packet(e);
    p->segmented = command(d) & CMD_TSE;
    p->sum_ip = d->upper >> 8 & POPTS_IXSM;
    p->sum_l4 = d->upper >> 8 & POPTS_TXSM;
    p->how = p->segmented ? e->segmenting : e->plain;
}

/* SDM 3.3.3: CSO and CSS in the descriptor itself. */
static void take_legacy_options(struct e1000 *e, const struct descriptor *d)
{
    start_packet(e);
    if (!(command(d) & CMD_IC))
        return;
    e->packet.sum_l4 = true;
    e->packet.how.l4 = (struct e1000_sum){ .from = d->upper >> 8, .at = d->lower >> 16 };
}

/* --- data --- */

/* An address without memory: nobody answers on the bus. */
static void fetch(struct e1000 *e, gpa_t from, u8 *to, u32 len)
{
    if (!pci_dma_read(&e->function, from, to, len))
        memset(to, 0xff, len);
}

static void append(struct e1000 *e, gpa_t from, u32 len)
{
    struct e1000_packet *p = &e->packet;
    if (p->too_long || len > PACKET_MAX - p->len) {
        p->too_long = true;
        return;
    }
    fetch(e, from, p->data + p->len, len);
    p->len += len;
}

static void append_segmented(struct e1000 *e, gpa_t from, u32 len)
{
    u8 chunk[4096];
    for (u32 n; len; from += n, len -= n) {
        n = len < sizeof chunk ? len : sizeof chunk;
        fetch(e, from, chunk, n);
        e1000_segment(e, chunk, n);
    }
}

static void end_packet(struct e1000 *e, const struct descriptor *d)
{
    e->packet.tagged = command(d) & CMD_VLE && e1000_get(e, E1000_CTRL) & CTRL_VME;
    e->packet.tag = d->upper >> 16;
    if (!e->packet.too_long)
        e1000_finish_packet(e);
    e->packet.started = false;
}

/* Returns the bytes that were moved. */
static u32 take_buffer(struct e1000 *e, const struct descriptor *d, u32 len)
{
    (e->packet.segmented ? append_segmented : append)(e, d->buffer, len);
    if (command(d) & CMD_EOP)
        end_packet(e, d);
    return len;
}

static u32 take_descriptor(struct e1000 *e, const struct descriptor *d)
{
    unsigned type = d->lower >> 20 & 15;
    if (!(command(d) & CMD_DEXT)) {
        take_legacy_options(e, d);
        return take_buffer(e, d, d->lower & 0xffff);
    }
    if (type == TYPE_DATA) {
        take_data_options(e, d);
        return take_buffer(e, d, d->lower & 0xfffff);
    }
    if (type == TYPE_CONTEXT)
        take_context(e, d);
    return 0;
}

/* --- interrupts, at once or later (SDM 3.4.4) --- */

static cycles_t delay(const struct e1000 *e, u32 reg) { return clock_ns_to_cycles(e->clock, (e1000_get(e, reg) & 0xffff) * (u64)DELAY_UNIT_NS); }

void e1000_tx_flush_delay(struct e1000 *e)
{
    timer_cancel(e->clock, &e->tx_delay);
    timer_cancel(e->clock, &e->tx_limit);
    e1000_cause(e, CAUSE_TXDW);
}

static void delay_over(void *opaque, cycles_t when) { e1000_tx_flush_delay(opaque); }

static void start_delay(struct e1000 *e)
{
    timer_set(e->clock, &e->tx_delay, e->clock->now + delay(e, E1000_TIDV));
    if (delay(e, E1000_TADV) && !timer_armed(&e->tx_limit))
        timer_set(e->clock, &e->tx_limit, e->clock->now + delay(e, E1000_TADV));
}

/* The descriptor is done: tell the driver, if it wants to know. Returns the cause. */
static u32 report(struct e1000 *e, gpa_t at, const struct descriptor *d)
{
    u8 status = d->upper | STATUS_DD;
    if (!(command(d) & (CMD_RS | CMD_RPS)))
        return 0;
    pci_dma_write(&e->function, at + STATUS_OFFSET, &status, 1);
    if (!(command(d) & CMD_IDE) || !delay(e, E1000_TIDV))
        return CAUSE_TXDW;
    start_delay(e);
    return 0;
}

/* --- the ring --- */

static u32 ring_size(const struct e1000 *e) { return e1000_get(e, E1000_TDLEN) / DESCRIPTOR; }

/* A head or tail beyond the ring is the driver's mistake: there is no work then. */
static u32 waiting(const struct e1000 *e)
{
    u32 size = ring_size(e), head = e1000_get(e, E1000_TDH), tail = e1000_get(e, E1000_TDT);
    if (!(e1000_get(e, E1000_TCTL) & TCTL_EN) || head >= size || tail >= size)
        return 0;
    return tail >= head ? tail - head : size - head + tail;
}

static gpa_t descriptor_at(const struct e1000 *e, u32 index)
{
    gpa_t base = (u64)e1000_get(e, E1000_TDBAH) << 32 | e1000_get(e, E1000_TDBAL);
    return base + (u64)index * DESCRIPTOR;
}

/* TXDCTL.LWTHRESH, in units of eight descriptors: the ring runs low. */
static u32 low_cause(const struct e1000 *e)
{
    u32 threshold = 8 * (e1000_get(e, E1000_TXDCTL) >> 25);
    return threshold && waiting(e) == threshold ? CAUSE_TXD_LOW : 0;
}

struct burst { u32 descriptors, bytes, causes; };

static bool do_one(struct e1000 *e, struct burst *b)
{
    struct descriptor d;
    u32 *head = e1000_reg(e, E1000_TDH);
    gpa_t at = descriptor_at(e, *head);
    if (!pci_dma_read(&e->function, at, &d, sizeof d))
        return false;           /* a ring without memory stands still */
    b->bytes += take_descriptor(e, &d);
    b->descriptors++;
    *head = *head + 1 >= ring_size(e) ? 0 : *head + 1;
    b->causes |= report(e, at, &d) | low_cause(e);
    if (!waiting(e))
        b->causes |= CAUSE_TXQE;
    return true;
}

void e1000_transmit(struct e1000 *e)
{
    struct burst b = { 0 };
    bool room = true, readable = true;
    if (timer_armed(&e->tx_go_on))
        return;                 /* it is not over with its pause */
    while (waiting(e) && b.descriptors < BURST_DESCRIPTORS && b.bytes < BURST_BYTES && room && readable) {
        room = !e->wire || net_room(e->wire, NET_NIC);
        readable = room && do_one(e, &b);
    }
    if (waiting(e) && room && readable)
        timer_set(e->clock, &e->tx_go_on, e->clock->now + clock_ns_to_cycles(e->clock, PAUSE_NS));
    if (b.causes)
        e1000_cause(e, b.causes);
}

static void go_on(void *opaque, cycles_t when) { e1000_transmit(opaque); }

void e1000_emit(struct e1000 *e, const u8 *frame, u32 len)
{
    bool looped = e1000_get(e, E1000_RCTL) >> RCTL_LBM_SHIFT & 3 || e1000_phy_loops(e);
    if (len < ETHERNET_HEADER)
        return;
    e1000_count_sent(e, frame, len < NET_FRAME_MIN ? NET_FRAME_MIN : len);
    if (looped && e1000_can_receive(e))
        e1000_receive(e, frame, len);
    else if (!looped && e->wire && e->link)
        net_send(e->wire, NET_NIC, frame, len);
}

/* --- its life --- */

void e1000_tx_init(struct e1000 *e)
{
    e->tx_go_on = (struct timer){ .fire = go_on, .opaque = e };
    e->tx_delay = (struct timer){ .fire = delay_over, .opaque = e };
    e->tx_limit = (struct timer){ .fire = delay_over, .opaque = e };
}

void e1000_tx_reset(struct e1000 *e)
{
    timer_cancel(e->clock, &e->tx_go_on);
    timer_cancel(e->clock, &e->tx_delay);
    timer_cancel(e->clock, &e->tx_limit);
    e->packet.started = false;
    memset(&e->plain, 0, sizeof e->plain);
    memset(&e->segmenting, 0, sizeof e->segmenting);
}
