/* SPDX-License-Identifier: MIT */
/* The control queue (virtio 1.2, 5.1.6.5): which frames the driver wants, by switches and by a list of addresses. */
#include <endian.h>
#include <string.h>

#include "devices/virtio/virtio_net.h"

enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_MQ = 4 };
enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST, RX_COMMANDS };
enum { MAC_TABLE_SET, MAC_ADDR_SET };
enum { MQ_PAIRS_SET };
enum { ACK_OK, ACK_ERROR };

/* --- what is wanted --- */

static bool in_table(const struct virtio_net *n, const u8 *address)
{
    for (unsigned i = 0; i < n->addresses; i++)
        if (memcmp(n->table[i], address, ETHERNET_ADDRESS) == 0)
            return true;
    return n->overflow;
}

bool vnet_wants(const struct virtio_net *n, const u8 *frame)
{
    static const u8 broadcast[ETHERNET_ADDRESS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    if (!virtio_has(&n->v, NET_F_CTRL_RX) || n->mode[RX_PROMISC])
        return true;
    if (memcmp(frame, broadcast, ETHERNET_ADDRESS) == 0)
        return !n->mode[RX_NOBCAST];
    if (frame[0] & 1)
        return !n->mode[RX_NOMULTI] && (n->mode[RX_ALLMULTI] || in_table(n, frame));
    return !n->mode[RX_NOUNI] && (n->mode[RX_ALLUNI] || memcmp(frame, n->v.config, ETHERNET_ADDRESS) == 0 || in_table(n, frame));
}

/* A device is promiscuous until its driver says otherwise. */
void vnet_control_reset(struct virtio_net *n)
{
    memset(n->mode, 0, sizeof n->mode);
    n->mode[RX_PROMISC] = 1;
    n->addresses = 0;
    n->overflow = false;
}

/* --- commands --- */

static bool set_mode(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c, u8 command)
{
    u8 on;
    if (command >= RX_COMMANDS || !vq_read(q, c, &on, 1))
        return false;
    n->mode[command] = on;
    return true;
}

/* A count, and as many addresses; those that do not fit make the device take all. */
static bool add_addresses(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c)
{
    u32 count;
    if (!vq_read(q, c, &count, sizeof count))
        return false;
    for (count = le32toh(count); count; count--) {
        u8 address[ETHERNET_ADDRESS];
        if (n->addresses == VNET_MAC_TABLE) {
            n->overflow = true;
            return true;
        }
        if (!vq_read(q, c, address, sizeof address))
            return false;
        memcpy(n->table[n->addresses++], address, sizeof address);
    }
    return true;
}

static bool set_table(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c)
{
    n->addresses = 0;
    n->overflow = false;
    return add_addresses(n, q, c) && (n->overflow || add_addresses(n, q, c));
}

static bool set_address(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c)
{
    u8 address[ETHERNET_ADDRESS];
    if (!vq_read(q, c, address, sizeof address))
        return false;
    memcpy(n->v.config, address, sizeof address);
    return true;
}

static bool set_pairs(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c)
{
    u16 pairs;
    if (!virtio_has(&n->v, NET_F_MQ) || !vq_read(q, c, &pairs, sizeof pairs) || !le16toh(pairs) || le16toh(pairs) > n->pairs)
        return false;
    vnet_use_pairs(n, le16toh(pairs));
    return true;
}

static bool obey(struct virtio_net *n, struct virtqueue *q, struct vq_chain *c)
{
    u8 command[2];      /* class, command */
    if (!vq_read(q, c, command, sizeof command))
        return false;
    if (command[0] == CLASS_RX)
        return set_mode(n, q, c, command[1]);
    if (command[0] == CLASS_MQ && command[1] == MQ_PAIRS_SET)
        return set_pairs(n, q, c);
    if (command[0] == CLASS_MAC && command[1] <= MAC_ADDR_SET)
        return (command[1] == MAC_TABLE_SET ? set_table : set_address)(n, q, c);
    return false;
}

bool vnet_control(struct virtio_net *n, struct virtqueue *q)
{
    struct vq_chain *c = &n->chain;
    while (virtqueue_take(q, c)) {
        u8 ack = obey(n, q, c) ? ACK_OK : ACK_ERROR;
        virtqueue_put(q, c, vq_write_last(q, c, ack));
    }
    virtqueue_interrupt(q);
    return true;
}
