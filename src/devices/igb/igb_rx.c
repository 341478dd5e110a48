/* SPDX-License-Identifier: MIT */
/*
 * A VF's receive ring (DS 7.1). The switch has decided that the frame is this VF's; ring 0 takes it, for the other one is for receive-side
 * scaling, which a VF of the 82576 has not. The frame's checksum has been taken off, as the PF's driver wants it for VFs.
 */
#include <string.h>

#include "devices/igb/igb.h"
#include "devices/net/net_checksum.h"

enum { HEADER_UNIT = 64, PACKET_UNIT = 1024, PACKET_DEFAULT = 2048, ETHERTYPE = 12, ETHERNET = 14, IPV4 = 0x0800, PROTOCOL = 9, TCP = 6, UDP = 17 };

struct descriptor { u64 buffer, header; };
struct written { u16 type, header; u32 sums; u32 status; u16 len, tag; };
_Static_assert(sizeof(struct descriptor) == IGB_DESCRIPTOR && sizeof(struct written) == IGB_DESCRIPTOR, "16 bytes");

/* A head or tail beyond the ring is the driver's mistake: there are no buffers then. */
static u32 available(const struct igb_queue *q)
{
    u32 size = igb_ring_size(q);
    if (q->head >= size || q->tail >= size)
        return 0;
    return q->tail >= q->head ? q->tail - q->head : size - q->head + q->tail;
}

static u32 packet_buffer(const struct igb_queue *q)
{
    u32 size = (q->srrctl & 0x7f) * PACKET_UNIT;
    return size ? size : PACKET_DEFAULT;
}

static bool is_enabled(const struct igb_vf *v, const struct igb_queue *q)
{
    return q->dctl & IGB_DCTL_ENABLE && igb_get(v->port, PF_VFRE) >> v->index & 1;
}

bool igb_can_receive(const struct igb_vf *v) { return !is_enabled(v, &v->rx[0]) || available(&v->rx[0]); }

/* --- a frame --- */

static u32 status_of(const u8 *frame, u32 len, bool loopback)
{
    u32 status = loopback ? RXD_LOOPBACK : 0;
    struct net_ip ip;
    if (!net_check_ip(frame, len, &ip))
        return status;
    status |= RXD_IPCS | (ip.ip_ok ? 0 : RXD_IPE);
    return ip.has_l4 ? status | RXD_L4CS | (ip.l4_ok ? 0 : RXD_L4E) : status;
}

/* Bytes of the headers, for a buffer of their own: Ethernet, IPv4, TCP or UDP. */
static u32 header_length(const u8 *frame, u32 len)
{
    u32 ip = ETHERNET, l4;
    if (len < ip + 20 || net_get16(frame + ETHERTYPE) != IPV4)
        return len < ETHERNET ? len : ETHERNET;
    l4 = ip + 4 * (frame[ip] & 15);
    if (frame[ip + PROTOCOL] == TCP && len >= l4 + 20)
        return l4 + 4 * (frame[l4 + 12] >> 4);
    return frame[ip + PROTOCOL] == UDP ? l4 + 8 : l4;
}

/* How much of it goes to the header's buffer (DS 7.1.10). */
static u32 split_at(const struct igb_queue *q, const u8 *frame, u32 len)
{
    u32 type = q->srrctl & IGB_SRRCTL_TYPE, room = (q->srrctl >> 8 & 0x3f) * HEADER_UNIT, n;
    if (type != IGB_SRRCTL_SPLIT && type != IGB_SRRCTL_SPLIT_ALWAYS)
        return 0;
    n = header_length(frame, len);
    n = n < len ? n : len;
    return n <= room ? n : type == IGB_SRRCTL_SPLIT_ALWAYS ? room : 0;
}

/* Fill one descriptor's buffers. Returns how many bytes it took; 0: the descriptor cannot be read. */
static u32 fill(struct igb_vf *v, struct igb_queue *q, const u8 *data, u32 len, u32 header, struct written *w)
{
    struct descriptor d;
    u64 at = igb_descriptor_at(q, q->head);
    u32 body = len - header < packet_buffer(q) ? len - header : packet_buffer(q);
    if (!pci_dma_read(&v->function, at, &d, sizeof d))
        return 0;
    if (header)
        pci_dma_write(&v->function, d.header, data, header);
    if (body)
        pci_dma_write(&v->function, d.buffer, data + header, body);
    if (header)
        w->header = header << RXD_HEADER_SHIFT | RXD_SPLIT;
    w->len = body;
    w->status |= RXD_DD | (header + body == len ? RXD_EOP : 0);
    pci_dma_write(&v->function, at, w, sizeof *w);
    q->head = q->head + 1 >= igb_ring_size(q) ? 0 : q->head + 1;
    return header + body;
}

static void count(struct igb_vf *v, const u8 *frame, u32 len, bool loopback)
{
    *igb_stat(v, VF_GPRC) += 1;
    *igb_stat(v, VF_GORC) += len;
    *igb_stat(v, VF_MPRC) += frame[0] & 1;
    *igb_stat(v, VF_GPRLBC) += loopback;
    *igb_stat(v, VF_GORLBC) += loopback ? len : 0;
}

bool igb_receive(struct igb_vf *v, const u8 *frame, u32 len, bool loopback)
{
    struct igb_queue *q = &v->rx[0];
    u32 status = status_of(frame, len, loopback), header = split_at(q, frame, len), whole = len;
    const u8 *data = frame;
    if (!is_enabled(v, q) || !v->clock)
        return false;
    if ((u64)available(q) * packet_buffer(q) < len) {
        v->no_buffer++;
        return false;
    }
    for (u32 n; len; data += n, len -= n, header = 0) {
        struct written w = { .status = status };
        n = fill(v, q, data, len, header, &w);
        if (!n)
            return false;
    }
    count(v, frame, whole, loopback);
    igb_interrupt(v, CAUSE_RX, 0);
    return true;
}
