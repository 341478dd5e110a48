/* SPDX-License-Identifier: MIT */
/*
 * What the adapter does to a packet on its way out (SDM 3.5): it puts checksums in, and cuts one large TCP packet into segments that
 * each fit into a frame. The driver gives a header as for the whole; each segment gets a copy of it with its own lengths, sequence
 * number and identification. The field of the TCP checksum holds the pseudo header's sum without the length, which is added here.
 */
#include <string.h>

#include "devices/e1000/e1000.h"
#include "devices/net/net_checksum.h"

enum { TUCMD_TCP = 0x01, TUCMD_IPV4 = 0x02, MSS_MIN = 16, MSS_MAX = 16000, TCP_FIN_PSH = 0x09, IPV6_HEADER = 40 };

static void insert_sum(u8 *frame, u32 len, struct e1000_sum s)
{
    u32 to = s.to && s.to + 1u < len ? s.to + 1u : len;
    if (s.from < to && s.at + 2u <= len)
        net_put16(frame + s.at, ~net_sum(frame + s.from, to - s.from));
}

/* The tag goes behind the two addresses (IEEE 802.1Q). Returns the length. */
static u32 insert_tag(const struct e1000 *e, u8 *frame, u32 len)
{
    memmove(frame + 12 + VLAN_TAG, frame + 12, len - 12);
    net_put16(frame + 12, e1000_get(e, E1000_VET));
    net_put16(frame + 14, e->packet.tag);
    return len + VLAN_TAG;
}

static void send_out(struct e1000 *e, u8 *frame, u32 len)
{
    const struct e1000_packet *p = &e->packet;
    if (len < ETHERNET_HEADER || len > NET_FRAME_MAX - VLAN_TAG)
        return;
    if (p->sum_l4)
        insert_sum(frame, len, p->how.l4);
    if (p->sum_ip)
        insert_sum(frame, len, p->how.ip);
    e1000_emit(e, frame, p->tagged ? insert_tag(e, frame, len) : len);
}

/* --- segmentation --- */

/* What no driver would ask for is bent to what a frame can hold, and to a bounded number of frames. */
static u32 mss(const struct e1000 *e)
{
    u32 mss = e->packet.how.mss;
    return mss < MSS_MIN ? MSS_MIN : mss > MSS_MAX ? MSS_MAX : mss;
}

static void patch_ip(const struct e1000 *e, u8 *ip, u32 len)
{
    if (e->packet.how.command & TUCMD_IPV4) {
        net_put16(ip + 2, len);
        net_put16(ip + 4, net_get16(ip + 4) + e->packet.segments);
    } else {
        net_put16(ip + 4, len - IPV6_HEADER);
    }
}

static void patch_l4(const struct e1000 *e, u8 *l4, u32 len, bool last)
{
    if (!(e->packet.how.command & TUCMD_TCP)) {
        net_put16(l4 + 4, len);
        return;
    }
    net_put32(l4 + 4, net_get32(l4 + 4) + e->packet.segments * mss(e));
    if (!last)
        l4[13] &= ~TCP_FIN_PSH;
}

/* Offsets are the driver's: what lies beyond the segment is left alone. */
static void patch_headers(const struct e1000 *e, u8 *frame, u32 len, bool last)
{
    const struct e1000_packet *p = &e->packet;
    if (p->how.ip.from + 6u <= len)
        patch_ip(e, frame + p->how.ip.from, len - p->how.ip.from);
    if (p->how.l4.from + 14u <= len)
        patch_l4(e, frame + p->how.l4.from, len - p->how.l4.from, last);
    if (p->how.l4.from <= len && p->how.l4.at + 2u <= len)
        net_put16(frame + p->how.l4.at, net_sum_add(net_get16(frame + p->how.l4.at), len - p->how.l4.from));
}

static void send_segment(struct e1000 *e, bool last)
{
    u8 frame[NET_FRAME_MAX];
    u32 len = e->packet.len;
    memcpy(frame, e->packet.data, len);
    patch_headers(e, frame, len, last);
    send_out(e, frame, len);
    e->packet.segments++;
    e->packet.len = e->packet.how.header;
}

_Static_assert(UINT8_MAX + MSS_MAX + VLAN_TAG < NET_FRAME_MAX, "a segment fits into the packet's buffer");

/* A full segment goes when it is clear that it is not the last one. */
void e1000_segment(struct e1000 *e, const u8 *data, u32 len)
{
    struct e1000_packet *p = &e->packet;
    u32 full = e->packet.how.header + mss(e);
    for (u32 n; len; data += n, len -= n) {
        if (p->len >= full)
            send_segment(e, false);
        n = len < full - p->len ? len : full - p->len;
        memcpy(p->data + p->len, data, n);
        p->len += n;
    }
}

void e1000_finish_packet(struct e1000 *e)
{
    if (!e->packet.segmented) {
        send_out(e, e->packet.data, e->packet.len);
        return;
    }
    send_segment(e, true);
    e1000_count(e, E1000_TSCTC, 1);
}
