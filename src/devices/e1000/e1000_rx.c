/* SPDX-License-Identifier: MIT */
/*
 * The receive ring (SDM 3.2). The driver owns the descriptors from RDT up to RDH; those from RDH up to RDT are empty buffers that
 * the adapter fills. RDH equal to RDT means none. A frame waits on the wire until there is one.
 */
#include <string.h>
#include <zlib.h>

#include "devices/e1000/e1000.h"
#include "devices/net/net_checksum.h"

enum { DELAY_UNIT_NS = 1024, CRC = 4, LONG_PACKET = 1522 };
enum { RX_DD = 0x01, RX_EOP = 0x02, RX_IXSM = 0x04, RX_VP = 0x08, RX_TCPCS = 0x20, RX_IPCS = 0x40, RX_PIF = 0x80 };
enum { RX_TCPE = 0x20, RX_IPE = 0x40 };
#define RDTR_FPD (1u << 31)

/* As it lies in memory (SDM 3.2.3). */
struct descriptor { u64 buffer; u16 len, checksum; u8 status, errors; u16 special; };
_Static_assert(sizeof(struct descriptor) == DESCRIPTOR, "16 bytes");

/* --- the ring --- */

static u32 ring_size(const struct e1000 *e) { return e1000_get(e, E1000_RDLEN) / DESCRIPTOR; }

/* Empty buffers. A head or tail beyond the ring is the driver's mistake: there are none then. */
static u32 available(const struct e1000 *e)
{
    u32 size = ring_size(e), head = e1000_get(e, E1000_RDH), tail = e1000_get(e, E1000_RDT);
    if (head >= size || tail >= size)
        return 0;
    return tail >= head ? tail - head : size - head + tail;
}

/* RCTL.BSIZE; BSEX makes it sixteen times as much, but not of the largest. */
static u32 buffer_size(const struct e1000 *e)
{
    u32 rctl = e1000_get(e, E1000_RCTL), code = rctl >> RCTL_BSIZE_SHIFT & 3;
    return rctl & RCTL_BSEX && code ? 32768u >> code : 2048u >> code;
}

static gpa_t descriptor_at(const struct e1000 *e, u32 index)
{
    gpa_t base = (u64)e1000_get(e, E1000_RDBAH) << 32 | e1000_get(e, E1000_RDBAL);
    return base + (u64)index * DESCRIPTOR;
}

bool e1000_can_receive(struct e1000 *e) { return !(e1000_get(e, E1000_RCTL) & RCTL_EN) || available(e); }

/* --- interrupts, at once or later --- */

static cycles_t delay(const struct e1000 *e, u32 reg) { return clock_ns_to_cycles(e->clock, (e1000_get(e, reg) & 0xffff) * (u64)DELAY_UNIT_NS); }

void e1000_rx_flush_delay(struct e1000 *e)
{
    timer_cancel(e->clock, &e->rx_delay);
    timer_cancel(e->clock, &e->rx_limit);
    e1000_cause(e, CAUSE_RXT0);
}

static void delay_over(void *opaque, cycles_t when) { e1000_rx_flush_delay(opaque); }

/* RDTR is counted from the last packet, RADV from the first one (SDM 3.2.7.1). */
static void announce(struct e1000 *e)
{
    if (!delay(e, E1000_RDTR)) {
        e1000_cause(e, CAUSE_RXT0);
        return;
    }
    timer_set(e->clock, &e->rx_delay, e->clock->now + delay(e, E1000_RDTR));
    if (delay(e, E1000_RADV) && !timer_armed(&e->rx_limit))
        timer_set(e->clock, &e->rx_limit, e->clock->now + delay(e, E1000_RADV));
}

/* RDMTS: half, a quarter, an eighth of the ring. */
static void warn_of_low_ring(struct e1000 *e)
{
    u32 threshold = ring_size(e) >> (1 + (e1000_get(e, E1000_RCTL) >> RCTL_RDMTS_SHIFT & 3));
    if (available(e) == threshold)
        e1000_cause(e, CAUSE_RXDMT0);
}

/* --- a frame --- */

/* What the adapter found out about it, for the last descriptor (SDM 3.2.3.2). */
static void describe(const struct e1000 *e, const u8 *frame, u32 len, struct descriptor *d)
{
    u32 wanted = e1000_get(e, E1000_RXCSUM);
    struct net_ip ip;
    d->status = RX_DD | RX_EOP;
    if (!(wanted & (RXCSUM_IPOFL | RXCSUM_TUOFL)) || !net_check_ip(frame, len, &ip)) {
        d->status |= RX_IXSM;
        return;
    }
    if (wanted & RXCSUM_IPOFL) {
        d->status |= RX_IPCS;
        d->errors |= ip.ip_ok ? 0 : RX_IPE;
    }
    if (wanted & RXCSUM_TUOFL && ip.has_l4) {
        d->status |= RX_TCPCS;
        d->errors |= ip.l4_ok ? 0 : RX_TCPE;
    }
}

/* PCSS says where the packet checksum of every descriptor begins. */
static u16 packet_checksum(const struct e1000 *e, const u8 *frame, u32 len)
{
    u32 from = e1000_get(e, E1000_RXCSUM) & 0xff;
    return from < len ? __builtin_bswap16(net_sum(frame + from, len - from)) : 0;
}

/* Fill one buffer. False: the descriptor cannot be read. */
static bool fill(struct e1000 *e, const u8 *data, u32 len, const struct descriptor *found)
{
    struct descriptor d;
    u32 *head = e1000_reg(e, E1000_RDH);
    gpa_t at = descriptor_at(e, *head);
    if (!pci_dma_read(&e->function, at, &d, sizeof d))
        return false;
    u64 buffer = d.buffer;
    pci_dma_write(&e->function, buffer, data, len);     /* an address without memory swallows it */
    d = *found;
    d.buffer = buffer;
    d.len = len;
    pci_dma_write(&e->function, at, &d, sizeof d);
    *head = *head + 1 >= ring_size(e) ? 0 : *head + 1;
    return true;
}

/* Into as many buffers as it takes. */
static void store(struct e1000 *e, const u8 *data, u32 len, const struct descriptor *last)
{
    u32 size = buffer_size(e);
    struct descriptor first = *last;
    first.status = RX_DD;
    first.errors = 0;
    for (u32 n; len; data += n, len -= n) {
        n = len < size ? len : size;
        if (!fill(e, data, n, n == len ? last : &first))
            return;
        warn_of_low_ring(e);
    }
    announce(e);
}

/* With CTRL.VME the tag is taken out and goes to the descriptor. Returns the length. */
static u32 strip_tag(const struct e1000 *e, u8 *frame, u32 len, struct descriptor *d)
{
    if (!(e1000_get(e, E1000_CTRL) & CTRL_VME) || !e1000_is_tagged(e, frame, len))
        return len;
    d->special = net_get16(frame + 14);
    d->status |= RX_VP;
    memmove(frame + 12, frame + 16, len - 16);
    return len - VLAN_TAG;
}

static u32 append_crc(u8 *frame, u32 len)
{
    u32 crc = crc32(0, frame, len);
    memcpy(frame + len, &crc, CRC);
    return len + CRC;
}

static void miss(struct e1000 *e)
{
    e1000_count(e, E1000_MPC, 1);
    e1000_count(e, E1000_RNBC, 1);
    e1000_cause(e, CAUSE_RXO);
}

void e1000_receive(struct e1000 *e, const u8 *frame, u32 len)
{
    u8 copy[NET_FRAME_MAX + CRC];
    struct descriptor d = { 0 };
    u32 rctl = e1000_get(e, E1000_RCTL);
    if (!(rctl & RCTL_EN) || !e1000_wants(e, frame, len))
        return;
    if (!(rctl & RCTL_LPE) && len + CRC > LONG_PACKET) {
        e1000_count(e, E1000_ROC, 1);
        return;
    }
    describe(e, frame, len, &d);
    if (!e1000_is_broadcast(frame) && e1000_is_multicast(frame))
        d.status |= RX_PIF;
    d.checksum = packet_checksum(e, frame, len);
    memcpy(copy, frame, len);
    u32 stored = strip_tag(e, copy, len, &d);
    if (!(rctl & RCTL_SECRC))
        stored = append_crc(copy, stored);
    if ((u64)available(e) * buffer_size(e) < stored) {
        miss(e);
        return;
    }
    e1000_count_received(e, frame, len);
    store(e, copy, stored, &d);
}

/* --- its life --- */

void e1000_rx_init(struct e1000 *e)
{
    e->rx_delay = (struct timer){ .fire = delay_over, .opaque = e };
    e->rx_limit = (struct timer){ .fire = delay_over, .opaque = e };
}

void e1000_rx_reset(struct e1000 *e)
{
    timer_cancel(e->clock, &e->rx_delay);
    timer_cancel(e->clock, &e->rx_limit);
}
