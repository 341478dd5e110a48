/* SPDX-License-Identifier: MIT */
/*
 * The transmit queue (virtio 1.2, 5.1.6.2): a frame with what is left to do to it in front. A checksum is put in; a large TCP packet is cut
 * into segments, each with a copy of the headers (RFC 9293, 3.7.4 calls it segmentation offload's result: it looks as if the guest had done it).
 *
 * Offsets are the driver's: what would lie beyond the packet makes it be dropped.
 */
#include <endian.h>
#include <string.h>

#include "devices/net/net_checksum.h"
#include "devices/virtio/virtio_net.h"

enum { ETHERNET_HEADER = 14, VLAN_TAG = 4, TYPE_VLAN = 0x8100, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, IPV6_HEADER = 40, PROTOCOL_TCP = 6 };
enum { TCP_SEQUENCE = 4, TCP_OFFSET = 12, TCP_FLAGS = 13, TCP_CHECKSUM = 16, TCP_HEADER = 20, TCP_FIN_PSH = 0x09, TCP_CWR = 0x80, MSS_MIN = 48 };

static void emit(struct virtio_net *n, const u8 *frame, u32 len)
{
    if (n->wire)
        net_send(n->wire, NET_NIC, frame, len);
    n->sent++;
}

static bool has_room(struct virtio_net *n) { return !n->wire || net_room(n->wire, NET_NIC); }

/* --- checksum --- */

/* The driver has put the pseudo header's sum in (5.1.6.2.1). */
static bool insert_checksum(struct vnet_packet *p)
{
    u32 from = le16toh(p->header.csum_start), at = from + le16toh(p->header.csum_offset);
    if (from >= p->len || at + 2 > p->len)
        return false;
    u16 sum = ~net_sum(p->data + from, p->len - from);
    net_put16(p->data + at, sum ? sum : 0xffff);       /* of UDP, zero says that there is none */
    return true;
}

/* --- segmentation --- */

static bool is_ipv4(const struct vnet_packet *p) { return (p->header.gso_type & ~VNET_GSO_ECN) == VNET_GSO_TCPV4; }

/* Where the headers are. The frame's own words count, not the driver's, and must agree with the kind that it named. */
static bool find_headers(struct vnet_packet *p)
{
    u32 at = p->len >= 18 && net_get16(p->data + 12) == TYPE_VLAN ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER;
    if (p->len < at + IPV6_HEADER + TCP_HEADER - (is_ipv4(p) ? 20 : 0) || net_get16(p->data + at - 2) != (is_ipv4(p) ? TYPE_IPV4 : TYPE_IPV6))
        return false;
    p->ip = at;
    p->l4 = at + (is_ipv4(p) ? (p->data[at] & 15) * 4 : IPV6_HEADER);
    if (p->l4 < at + 20 || p->l4 + TCP_HEADER > p->len || p->data[at + (is_ipv4(p) ? 9 : 6)] != PROTOCOL_TCP)
        return false;
    p->headers = p->l4 + (p->data[p->l4 + TCP_OFFSET] >> 4) * 4;
    return p->headers >= p->l4 + TCP_HEADER && p->headers <= p->len;
}

static u32 mss(const struct vnet_packet *p)
{
    u16 size = le16toh(p->header.gso_size);
    return size < MSS_MIN ? MSS_MIN : size;
}

/* IP's length, identification and checksum. Returns the sum of the addresses. */
static u16 patch_ip(const struct vnet_packet *p, u8 *ip, u32 len)
{
    if (!is_ipv4(p)) {
        net_put16(ip + 4, len - IPV6_HEADER);
        return net_sum(ip + 8, 32);
    }
    net_put16(ip + 2, len);
    net_put16(ip + 4, net_get16(ip + 4) + p->segments);
    net_put16(ip + 10, 0);
    net_put16(ip + 10, ~net_sum(ip, p->l4 - p->ip));
    return net_sum(ip + 12, 8);
}

static void patch_tcp(const struct vnet_packet *p, u8 *tcp, u32 len, u16 addresses, bool last)
{
    net_put32(tcp + TCP_SEQUENCE, net_get32(tcp + TCP_SEQUENCE) + p->sent);
    tcp[TCP_FLAGS] &= ~((last ? 0 : TCP_FIN_PSH) | (p->segments ? TCP_CWR : 0));
    net_put16(tcp + TCP_CHECKSUM, 0);
    u16 pseudo = net_sum_add(addresses, net_sum_add(PROTOCOL_TCP, len));
    net_put16(tcp + TCP_CHECKSUM, ~net_sum_add(net_sum(tcp, len), pseudo));
}

static void send_segment(struct virtio_net *n)
{
    u8 frame[NET_FRAME_MAX];
    struct vnet_packet *p = &n->packet;
    u32 left = p->len - p->headers - p->sent, part = left < mss(p) ? left : mss(p), len = p->headers + part;
    memcpy(frame, p->data, p->headers);
    memcpy(frame + p->headers, p->data + p->headers + p->sent, part);
    u16 addresses = patch_ip(p, frame + p->ip, len - p->ip);
    patch_tcp(p, frame + p->l4, len - p->l4, addresses, part == left);
    emit(n, frame, len);
    p->sent += part;
    p->segments++;
    if (part == left)
        p->len = 0;
}

/* --- a packet --- */

static bool is_cut(const struct vnet_packet *p) { return p->header.gso_type != VNET_GSO_NONE; }

static bool may_cut(const struct virtio_net *n, u8 gso_type)
{
    u8 kind = gso_type & ~VNET_GSO_ECN;
    return (kind == VNET_GSO_TCPV4 && virtio_has(&n->v, NET_F_HOST_TSO4)) || (kind == VNET_GSO_TCPV6 && virtio_has(&n->v, NET_F_HOST_TSO6));
}

/* From the chain into the buffer, with its checksum. False: it is no packet that could be sent. */
static bool fetch(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c)
{
    struct vnet_packet *p = &n->packet;
    u32 header = vnet_header_size(n);
    p->sent = p->segments = 0;
    if (c->readable_len < header + ETHERNET_HEADER || c->readable_len - header > NET_FRAME_MAX || !vq_read(q, c, &p->header, header) ||
        !vq_read(q, c, p->data, c->readable_len - header))
        return false;
    p->len = c->readable_len - header;
    if (is_cut(p))
        return may_cut(n, p->header.gso_type) && find_headers(p);
    return !(p->header.flags & VNET_NEEDS_CSUM) || insert_checksum(p);
}

static void go_on(struct virtio_net *n)
{
    struct vnet_packet *p = &n->packet;
    while (p->len && has_room(n)) {
        if (is_cut(p)) {
            send_segment(n);
            continue;
        }
        emit(n, p->data, p->len);
        p->len = 0;
    }
}

/* As far as the wire has room; it calls when it has again. What is fetched is the driver's again at once. */
bool vnet_transmit(struct virtio_net *n, struct virtqueue *q)
{
    go_on(n);
    while (!n->packet.len && has_room(n) && virtqueue_take(q, &n->chain)) {
        if (!fetch(n, q, &n->chain))
            n->packet.len = 0;
        virtqueue_put(q, &n->chain, 0);
        go_on(n);
    }
    virtqueue_interrupt(q);
    return !n->packet.len && has_room(n);
}
