/* SPDX-License-Identifier: MIT */
/* A disk that another process has: its configuration, its features and its requests are the back-end's. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vhost/vhost.h"

enum { CONFIG_SIZE = 60, NUM_QUEUES = 34, QUEUE_SIZE = 256, ANSWER_IOERR = 1 };

/* SIZE_MAX, SEG_MAX, GEOMETRY, RO, BLK_SIZE, FLUSH, TOPOLOGY, MQ, DISCARD, WRITE_ZEROES (virtio 1.2, 5.2.3) */
#define F_MQ BIT(12)
#define DISK_FEATURES (BIT(1) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(9) | BIT(10) | F_MQ | BIT(13) | BIT(14))

struct vhost_blk {
    struct virtio v;
    struct vhost *server;
};

/* Without a back-end every request fails: the last byte says so (5.2.6). */
static u32 disk_refused(struct virtio *v, struct virtqueue *q, const struct vq_chain *c) { return vq_write_last(q, c, ANSWER_IOERR); }

/* What the back-end says, but for the queues: they are as many as the driver was told at first. */
static bool fetch_config(struct vhost_blk *b)
{
    u8 config[CONFIG_SIZE];
    if (!vhost_config(b->server, config, sizeof config))
        return false;
    config[NUM_QUEUES] = b->v.queues;
    config[NUM_QUEUES + 1] = 0;
    memcpy(b->v.config, config, sizeof config);
    return true;
}

static void disk_server_config(struct virtio *v)
{
    if (fetch_config((struct vhost_blk *)v))
        virtio_config_changed(v);
}

static void disk_info(const struct virtio *v, FILE *out) { vhost_info(((const struct vhost_blk *)v)->server, out); }

static const struct virtio_ops disk_ops = {
    .name = "vhost-user-blk", .id = VIRTIO_ID_BLOCK, .pci_class = 0x010000, .queues = 1, .queue_size = QUEUE_SIZE, .config_size = CONFIG_SIZE,
    .server_config = disk_server_config, .refused = disk_refused, .info = disk_info,
};

/* As many as the user wants, and the back-end has. */
static unsigned count_queues(const struct vhost_blk *b, unsigned wanted)
{
    unsigned there = b->v.config[NUM_QUEUES] | b->v.config[NUM_QUEUES + 1] << 8;
    if (!(vhost_features(b->server) & F_MQ) || !there)
        return 1;
    unsigned n = wanted ? wanted : 1, served = vhost_queues(b->server);
    n = n < there ? n : there;
    n = served && served < n ? served : n;
    return n < VIRTIO_QUEUES_MAX ? n : VIRTIO_QUEUES_MAX;
}

struct virtio *vhost_blk_new(const struct platform *to, const struct virtio_slot *s)
{
    struct vhost_blk *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->server = s->vhost;
    virtio_init(&b->v, &disk_ops, 0, s->flavor.packed, to);
    vhost_config(b->server, b->v.config, CONFIG_SIZE);
    unsigned queues = count_queues(b, s->queues);
    virtio_set_queues(&b->v, queues);
    fetch_config(b);
    vhost_serve(b->server, &b->v, to, queues, BIT(queues) - 1, DISK_FEATURES);
    return &b->v;
}
