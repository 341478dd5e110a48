/* SPDX-License-Identifier: MIT */
/* The adapter: frames that come, doorbells, the link. What is sent has its own file, as have commands. */
#include "devices/virtio/virtio_net.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_checksum.h"
#include "devices/vhost/vhost.h"

/* What is left to whoever serves the rings, if the device itself does not: checksums, segments both ways, merged buffers. */
#define SERVED_FEATURES (NET_F_CSUM | NET_F_GUEST_CSUM | BIT(7) | BIT(8) | BIT(9) | BIT(10) | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | \
                         NET_F_HOST_ECN | BIT(14) | NET_F_MRG_RXBUF)

#define TRANSMIT_QUEUES 0xaaaaaaaau     /* by bits */

enum { QUEUE_SIZE = 256, TX_WORK_NS = 5000, CONTROL_WORK_NS = 1000, CONFIG_STATUS = 6, CONFIG_PAIRS = 8, CONFIG_SPEED = 12, CONFIG_DUPLEX = 16, CONFIG_SIZE = 17, FULL_DUPLEX = 1, LINK_UP = 1, BUFFERS_MAX = 64 };

static bool merges(const struct virtio_net *n) { return virtio_has(&n->v, NET_F_MRG_RXBUF); }

u32 vnet_header_size(const struct virtio_net *n)
{
    return virtio_has(&n->v, VIRTIO_F_VERSION_1) || merges(n) ? sizeof(struct vnet_header) : offsetof(struct vnet_header, num_buffers);
}

/* --- receiving --- */

static struct virtqueue *pair_queue(struct virtio_net *n, unsigned pair, enum vnet_queue kind) { return &n->v.queue[2 * pair + kind]; }

/* The packets of a connection come by the same queue (5.1.6.5.6.1): by its addresses and ports, wherever they are in an Ethernet frame. */
static struct virtqueue *receive_queue(struct virtio_net *n, const u8 *frame, u32 len)
{
    enum { ADDRESSES = 26, PORTS_END = 38 };
    unsigned pair = n->active > 1 && len >= PORTS_END ? net_sum(frame + ADDRESSES, PORTS_END - ADDRESSES) % n->active : 0;
    struct virtqueue *q = pair_queue(n, pair, VNET_RX);
    return q->enabled ? q : pair_queue(n, 0, VNET_RX);
}

/* The doorbell is on only when there are no buffers: then the first one is waited for. Without a driver, frames are swallowed. */
static bool end_ready(void *opaque)
{
    struct virtio_net *n = opaque;
    bool ready = true;
    for (unsigned i = 0; i < n->active && virtio_running(&n->v); i++) {
        struct virtqueue *q = pair_queue(n, i, VNET_RX);
        ready &= (i && !q->enabled) || virtqueue_available(q) || virtqueue_set_doorbell(q, true);
    }
    return ready;
}

/* How many buffers a frame takes, and that they are there; 0: they are not. Nothing is taken yet. */
static unsigned count_buffers(struct virtio_net *n, struct virtqueue *q, u64 size)
{
    struct vq_mark mark = virtqueue_mark(q);
    struct vq_chain c;
    unsigned count = 0, max = merges(n) ? BUFFERS_MAX : 1;
    u64 room = 0;
    while (room < size && count < max && virtqueue_take(q, &c)) {
        room += c.writable_len;
        count++;
    }
    virtqueue_return_to(q, mark);
    return room < size ? 0 : count;
}

/* A frame whose checksum is right is marked so (5.1.6.4.1): the driver need not look. */
static struct vnet_header describe(const struct virtio_net *n, const u8 *frame, u32 len, unsigned buffers)
{
    struct vnet_header h = { .num_buffers = htole16(buffers) };
    struct net_ip ip;
    if (virtio_has(&n->v, NET_F_GUEST_CSUM) && net_check_ip(frame, len, &ip) && ip.ip_ok && ip.has_l4 && ip.l4_ok)
        h.flags = VNET_DATA_VALID;
    return h;
}

static void fill_buffer(struct virtqueue *q, const struct vnet_header *h, u32 header, const u8 **frame, u32 *len)
{
    struct vq_chain c;
    if (!virtqueue_take(q, &c))
        return;
    u32 room = c.writable_len > UINT32_MAX ? UINT32_MAX : c.writable_len;
    header = header < room ? header : room;
    u32 part = room - header < *len ? room - header : *len;
    if (vq_write(q, &c, h, header))
        vq_write(q, &c, *frame, part);      /* an address without memory swallows it */
    virtqueue_put(q, &c, header + part);
    *frame += part;
    *len -= part;
}

static void end_receive(void *opaque, const u8 *frame, u32 len)
{
    struct virtio_net *n = opaque;
    struct virtqueue *q = receive_queue(n, frame, len);
    u32 header = vnet_header_size(n);
    if (!virtio_running(&n->v) || !vnet_wants(n, frame))
        return;
    unsigned buffers = count_buffers(n, q, (u64)header + len);
    if (!buffers) {
        n->dropped++;
        return;
    }
    struct vnet_header h = describe(n, frame, len, buffers);
    for (unsigned i = 0; i < buffers; i++)
        fill_buffer(q, &h, i ? 0 : header, &frame, &len);
    n->received++;
    virtqueue_interrupt(q);
}

/* --- the wire's other words --- */

static void end_room(void *opaque)
{
    struct virtio_net *n = opaque;
    for (unsigned i = 0; i < n->pairs; i++)     /* all transmit, also those that the driver does not receive by */
        if (pair_queue(n, i, VNET_TX)->enabled)
            virtio_work_later(pair_queue(n, i, VNET_TX), 0);
}

static void show_link(struct virtio_net *n, bool up) { n->v.config[CONFIG_STATUS] = up ? LINK_UP : 0; }

static void end_link(void *opaque, bool up)
{
    struct virtio_net *n = opaque;
    show_link(n, up);
    virtio_config_changed(&n->v);
}

/* --- the device --- */

static void net_started(struct virtio *v)
{
    struct virtio_net *n = (struct virtio_net *)v;
    if (n->wire)
        net_wake(n->wire, NET_NIC);
}

enum vnet_queue vnet_kind(const struct virtio_net *n, unsigned queue)
{
    unsigned pairs = virtio_has(&n->v, NET_F_MQ) ? n->pairs : 1;
    return queue >= 2 * pairs ? VNET_CONTROL : queue % 2 ? VNET_TX : VNET_RX;
}

/* Who serves the queue must be woken first. */
static u64 doorbell_ns(const struct virtio_net *n)
{
    const struct clock *c = n->v.clock;
    return clock_cycles_to_ns(c, net_doorbell(n->wire, clock_ns_to_cycles(c, TX_WORK_NS)));
}

static void net_kicked(struct virtio *v, struct virtqueue *q)
{
    enum vnet_queue kind = vnet_kind((struct virtio_net *)v, q->index);
    if (kind != VNET_RX) {
        virtio_work_later(q, kind == VNET_TX ? doorbell_ns((struct virtio_net *)v) : CONTROL_WORK_NS);
        return;
    }
    virtqueue_set_doorbell(q, false);
    net_started(v);
}

static bool net_work(struct virtio *v, struct virtqueue *q)
{
    return (vnet_kind((struct virtio_net *)v, q->index) == VNET_TX ? vnet_transmit : vnet_control)((struct virtio_net *)v, q);
}

static bool net_config_writable(const struct virtio *v, unsigned offset) { return v->legacy && offset < ETHERNET_ADDRESS; }

static void net_reset(struct virtio *v)
{
    struct virtio_net *n = (struct virtio_net *)v;
    memcpy(v->config, n->mac, ETHERNET_ADDRESS);
    n->packet.len = 0;
    vnet_use_pairs(n, 1);
    vnet_control_reset(n);
    show_link(n, n->wire ? n->wire->link : v->server != NULL);
    if (n->wire)
        net_wake(n->wire, NET_NIC);
}

/* A server has no control queue: its rings end in front of it, wherever that is (5.1.2). */
static unsigned net_served(const struct virtio *v) { return 2 * (virtio_has(v, NET_F_MQ) ? ((const struct virtio_net *)v)->pairs : 1); }

void vnet_use_pairs(struct virtio_net *n, unsigned pairs)
{
    n->active = pairs;
    if (!n->v.server)
        return;
    n->v.server->used = 2 * pairs;
    n->v.server->used_changed(n->v.server);
}

static void net_destroy(struct virtio *v)
{
    struct virtio_net *n = (struct virtio_net *)v;
    if (n->wire)
        net_attach(n->wire, NET_NIC, NULL);
}

static void net_info(const struct virtio *v, FILE *out)
{
    const struct virtio_net *n = (const struct virtio_net *)v;
    const u8 *m = v->config;
    fprintf(out, "  %02x:%02x:%02x:%02x:%02x:%02x, wire %s, link %s, frames: %llu received, %llu sent, %llu without a buffer\n", m[0], m[1], m[2], m[3],
            m[4], m[5], n->wire ? n->wire->id : "none", m[CONFIG_STATUS] & LINK_UP ? "up" : "down", (unsigned long long)n->received,
            (unsigned long long)n->sent, (unsigned long long)n->dropped);
}

static const struct virtio_ops net_ops = {
    .name = "virtio-net", .id = VIRTIO_ID_NET, .pci_class = 0x020000, .queues = VNET_CONTROL + 1, .queue_size = QUEUE_SIZE, .config_size = CONFIG_SIZE,
    .started = net_started, .kicked = net_kicked, .work = net_work, .config_writable = net_config_writable,
    .served = net_served, .reset = net_reset, .destroy = net_destroy, .info = net_info,
};

/* In Mb/s (5.1.4); of a wire that takes no time, and of what somebody else has, nobody knows. */
static void show_speed(struct virtio_net *n)
{
    u32 speed = n->wire ? htole32(n->wire->bits_per_second / 1000000) : 0;
    if (!speed)
        return;
    memcpy(n->v.config + CONFIG_SPEED, &speed, sizeof speed);
    n->v.config[CONFIG_DUPLEX] = FULL_DUPLEX;
    n->v.offered |= NET_F_SPEED_DUPLEX;
}

/* As many as the user wants, and the back-end has. */
static unsigned count_pairs(const struct nic *nic)
{
    unsigned pairs = nic->pairs ? nic->pairs : 1, there = pairs;
    if (nic->vhost)
        there = vhost_features(nic->vhost) & NET_F_MQ && vhost_queues(nic->vhost) ? vhost_queues(nic->vhost) : 1;
    return pairs < there ? pairs : there;
}

struct virtio *virtio_net_new(const struct platform *to, const struct nic *nic)
{
    struct virtio_net *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    u64 offload = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_HOST_TSO4 | NET_F_HOST_TSO6 | NET_F_HOST_ECN | NET_F_MRG_RXBUF;
    u64 control = NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_RX_EXTRA | NET_F_CTRL_MAC_ADDR;
    virtio_init(&n->v, &net_ops, NET_F_MAC | NET_F_STATUS | offload | control, nic->virtio.packed, to);
    memcpy(n->mac, nic->mac, ETHERNET_ADDRESS);
    n->pairs = count_pairs(nic);
    n->active = 1;
    n->v.config[CONFIG_PAIRS] = n->pairs;
    n->v.offered |= n->pairs > 1 ? NET_F_MQ : 0;
    virtio_set_queues(&n->v, 2 * n->pairs + 1);
    if (nic->queue_size)
        virtio_set_queue_size(&n->v, nic->queue_size);
    n->wire = nic->wire;
    show_speed(n);
    if (nic->vhost)
        vhost_serve(nic->vhost, &n->v, to, 2 * n->pairs, TRANSMIT_QUEUES & (BIT(2 * n->pairs) - 1), SERVED_FEATURES | (n->pairs > 1 ? NET_F_MQ : 0));
    if (n->wire)
        net_attach(n->wire, NET_NIC, &(struct net_end){ end_ready, end_receive, end_room, end_link, n });
    return &n->v;
}
