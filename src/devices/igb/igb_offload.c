/* SPDX-License-Identifier: MIT */
/*
 * What the adapter does to a packet on its way out (DS 7.2.4, 7.2.5): VLAN tag, checksums, and TCP segmentation. Unlike the 82540EM, which is
 * told where to sum and where to put it, this one knows the headers and is told only how long they are.
 */
#include <string.h>

#include "devices/igb/igb.h"
#include "devices/net/net_checksum.h"

enum { TAG = 4, ADDRESSES = 12, MSS_MIN = 16, MSS_MAX = 9216, TCP_FIN_PSH = 0x09, TCP_SUM = 16, UDP_SUM = 6, IP_SUM = 10, IPV6_HEADER = 40, HEADER_MAX = 1024 };
_Static_assert(HEADER_MAX > 0x7f + 0x1ff + 0xff && HEADER_MAX + MSS_MAX + TAG < NET_FRAME_MAX, "a segment fits into the packet's buffer");

static bool is_tcp(const struct igb_context *c) { return (c->command & (3 << 11)) == TXC_TCP; }

/* The sum over the frame from `from` on goes to byte `at`. */
static void put_sum(u8 *frame, u32 len, u32 from, u32 to, u32 at)
{
    to = to < len ? to : len;
    if (from < to && at + 2 <= len)
        net_put16(frame + at, ~net_sum(frame + from, to - from));
}

/* SCTP's CRC is not computed: no driver here asks for it without SCTP. */
static void put_sums(const struct igb_packet *p, u8 *frame, u32 len)
{
    const struct igb_context *c = &p->how;
    u32 l4 = igb_context_l4(c), ip = igb_context_ip(c);
    if (p->sum_l4 && !(c->command & TXC_SCTP))
        put_sum(frame, len, l4, len, l4 + (is_tcp(c) ? TCP_SUM : UDP_SUM));
    if (p->sum_ip && c->command & TXC_IPV4 && ip + IP_SUM + 2 <= len) {
        net_put16(frame + ip + IP_SUM, 0);
        put_sum(frame, len, ip, l4, ip + IP_SUM);
    }
}

static u32 put_tag(const struct igb_packet *p, u8 *frame, u32 len)
{
    memmove(frame + ADDRESSES + TAG, frame + ADDRESSES, len - ADDRESSES);
    net_put16(frame + ADDRESSES, 0x8100);
    net_put16(frame + ADDRESSES + 2, p->how.lengths >> 16);
    return len + TAG;
}

static void send_out(struct igb_vf *v, const struct igb_packet *p, u8 *frame, u32 len)
{
    if (len < ADDRESSES + 2 || len > NET_FRAME_MAX - TAG)
        return;
    put_sums(p, frame, len);
    igb_switch_from_vf(v, frame, p->tagged ? put_tag(p, frame, len) : len);
}

/* --- segmentation --- */

/* What no driver would ask for is bent to what a frame can hold, and to a bounded number of frames. */
static u32 mss(const struct igb_packet *p)
{
    u32 mss = p->how.mss_l4len >> 16;
    return mss < MSS_MIN ? MSS_MIN : mss > MSS_MAX ? MSS_MAX : mss;
}

static void patch_ip(const struct igb_packet *p, u8 *ip, u32 len)
{
    if (p->how.command & TXC_IPV4) {
        net_put16(ip + 2, len);
        net_put16(ip + 4, net_get16(ip + 4) + p->segments);
    } else {
        net_put16(ip + 4, len - IPV6_HEADER);
    }
}

static void patch_tcp(const struct igb_packet *p, u8 *tcp, u32 len, bool last)
{
    net_put32(tcp + 4, net_get32(tcp + 4) + p->segments * mss(p));
    if (!last)
        tcp[13] &= ~TCP_FIN_PSH;
    net_put16(tcp + TCP_SUM, net_sum_add(net_get16(tcp + TCP_SUM), len));   /* the driver's pseudo header is without the length */
}

static void send_segment(struct igb_vf *v, struct igb_packet *p, bool last)
{
    u8 frame[NET_FRAME_MAX];
    u32 len = p->len, ip = igb_context_ip(&p->how), l4 = igb_context_l4(&p->how);
    memcpy(frame, p->data, len);
    if (ip + 6 <= len)
        patch_ip(p, frame + ip, len - ip);
    if (is_tcp(&p->how) && l4 + TCP_SUM + 2 <= len)
        patch_tcp(p, frame + l4, len - l4, last);
    send_out(v, p, frame, len);
    p->segments++;
    p->len = igb_context_header(&p->how);
}

/* A full segment goes when it is clear that it is not the last one. */
void igb_segment(struct igb_vf *v, struct igb_packet *p, const u8 *data, u32 len)
{
    u32 full = igb_context_header(&p->how) + mss(p);
    for (u32 n; len; data += n, len -= n) {
        if (p->len >= full)
            send_segment(v, p, false);
        n = len < full - p->len ? len : full - p->len;
        memcpy(p->data + p->len, data, n);
        p->len += n;
    }
}

void igb_finish_packet(struct igb_vf *v, struct igb_packet *p)
{
    if (p->segmented)
        send_segment(v, p, true);
    else
        send_out(v, p, p->data, p->len);
}
