/* SPDX-License-Identifier: MIT */
/*
 * A network adapter (virtio 1.2, 5.1): virtio_net.c has the device and the receive queue, virtio_net_tx.c the transmit queue with its
 * offloads, virtio_net_control.c which frames are wanted.
 */
#ifndef EMU_DEVICES_VIRTIO_NET_H
#define EMU_DEVICES_VIRTIO_NET_H

#include "devices/net/net.h"
#include "devices/virtio/virtio.h"

#define NET_F_CSUM BIT(0)               /* the device puts checksums in */
#define NET_F_GUEST_CSUM BIT(1)         /* the driver takes frames whose checksum the device has looked at */
#define NET_F_MAC BIT(5)
#define NET_F_HOST_TSO4 BIT(11)         /* the device cuts large TCP packets */
#define NET_F_HOST_TSO6 BIT(12)
#define NET_F_HOST_ECN BIT(13)
#define NET_F_MRG_RXBUF BIT(15)         /* a frame may take several buffers */
#define NET_F_STATUS BIT(16)
#define NET_F_CTRL_VQ BIT(17)
#define NET_F_CTRL_RX BIT(18)
#define NET_F_CTRL_RX_EXTRA BIT(20)
#define NET_F_MQ BIT(22)                /* several pairs of receive and transmit queues */
#define NET_F_CTRL_MAC_ADDR BIT(23)
#define NET_F_SPEED_DUPLEX BIT(63)      /* the driver may know how fast the wire is */

enum vnet_queue { VNET_RX, VNET_TX, VNET_CONTROL };     /* receive and transmit queues take turns, the control queue is behind them */
enum { VNET_MAC_TABLE = 64, ETHERNET_ADDRESS = 6 };

/* In front of every frame, both ways (5.1.6). */
struct vnet_header { u8 flags, gso_type; u16 hdr_len, gso_size, csum_start, csum_offset, num_buffers; };
enum { VNET_NEEDS_CSUM = 1, VNET_DATA_VALID = 2 };
enum { VNET_GSO_NONE = 0, VNET_GSO_TCPV4 = 1, VNET_GSO_TCPV6 = 4, VNET_GSO_ECN = 0x80 };

/* The packet that is on its way out. */
struct vnet_packet {
    struct vnet_header header;
    u32 len;                            /* 0: none */
    u32 headers, l4, ip;                /* of one that is cut: bytes of its headers, where TCP's and IP's begin */
    u32 sent;                           /* bytes behind the headers that are gone */
    u32 segments;
    u8 data[NET_FRAME_MAX];
};

struct virtio_net {
    struct virtio v;
    struct net_wire *wire;              /* NULL: no cable */
    unsigned pairs, active;             /* that there are, and that the driver wants used */
    u8 mac[ETHERNET_ADDRESS];           /* as it came */
    struct vnet_packet packet;
    struct vq_chain chain;              /* of the transmit queue: large, so not on the stack */
    u8 mode[6];                         /* by command of class RX: promiscuous, all multicast, ... */
    u8 table[VNET_MAC_TABLE][ETHERNET_ADDRESS]; unsigned addresses;
    bool overflow;                      /* more addresses than the table has */
    u64 received, sent, dropped;        /* frames, counted */
};

/* Bytes of the header: without num_buffers in a legacy device that does not merge. */
u32 vnet_header_size(const struct virtio_net *n);

/* What a queue is for: the control queue's number depends on what the driver knows of (5.1.2). */
enum vnet_queue vnet_kind(const struct virtio_net *n, unsigned queue);

/* What virtio_ops.work() says. */
bool vnet_transmit(struct virtio_net *n, struct virtqueue *q);
bool vnet_control(struct virtio_net *n, struct virtqueue *q);
void vnet_control_reset(struct virtio_net *n);
/* From now on the driver uses the first so many pairs. */
void vnet_use_pairs(struct virtio_net *n, unsigned pairs);
bool vnet_wants(const struct virtio_net *n, const u8 *frame);

#endif
