/* SPDX-License-Identifier: MIT */
/*
 * A source of random bytes (virtio 1.2, 5.4), the smallest virtio device: every chain is filled. The bytes are those of a generator
 * with a seed, so that a run can be repeated; they are no secret.
 */
#include <stdlib.h>

#include "devices/virtio/virtio.h"

enum { BYTES_MAX = 4096, WORK_NS = 1000 };      /* of a chain: a device may fill in less */

struct virtio_rng {
    struct virtio v;
    u64 seed, state;
};

/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 16). */
static u64 next(u64 *state)
{
    u64 z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static u32 fill(struct virtio_rng *r, struct virtqueue *q, struct vq_chain *c)
{
    u64 bytes[BYTES_MAX / 8];
    u32 len = c->writable_len < BYTES_MAX ? c->writable_len : BYTES_MAX;
    for (u32 i = 0; i < (len + 7) / 8; i++)
        bytes[i] = next(&r->state);
    return vq_write(q, c, bytes, len) ? len : 0;
}

static bool rng_work(struct virtio *v, struct virtqueue *q)
{
    struct vq_chain c;
    while (virtqueue_take(q, &c))
        virtqueue_put(q, &c, fill((struct virtio_rng *)v, q, &c));
    virtqueue_interrupt(q);
    return true;
}

static void rng_kicked(struct virtio *v, struct virtqueue *q) { virtio_work_later(q, WORK_NS); }

static void rng_reset(struct virtio *v)
{
    struct virtio_rng *r = (struct virtio_rng *)v;
    r->state = r->seed;
}

static const struct virtio_ops rng_ops = {
    .name = "virtio-rng", .id = VIRTIO_ID_RNG, .pci_class = 0x00ff00, .queues = 1, .queue_size = 8,
    .kicked = rng_kicked, .work = rng_work, .reset = rng_reset,
};

struct virtio *virtio_rng_new(const struct platform *to, const struct virtio_slot *s)
{
    struct virtio_rng *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    virtio_init(&r->v, &rng_ops, 0, s->flavor.packed, to);
    r->seed = s->seed;
    return &r->v;
}
