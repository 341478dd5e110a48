/* SPDX-License-Identifier: MIT */
/*
 * Split rings (virtio 1.2, 2.7). The driver writes descriptors and, in the available ring, the numbers of those where chains begin; the
 * device writes them back in the used ring. Both rings have an index that only grows, modulo 2^16.
 */
#include <endian.h>

#include "devices/virtio/virtio.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { FLAGS = 0, INDEX = 2, RING = 4 };        /* of both rings, each u16 */
enum { NO_INTERRUPT = 1, NO_NOTIFY = 1 };

struct descriptor { u64 gpa; u32 len; u16 flags, next; };
_Static_assert(sizeof(struct descriptor) == 16, "2.7.5");
struct used { u32 id, len; };

static bool get16(const struct virtqueue *q, gpa_t at, u16 *value)
{
    if (!virtio_read(q->v, at, value, 2))
        return virtio_break(q->v, "a ring is not in memory");
    *value = le16toh(*value);
    return true;
}

static void put16(const struct virtqueue *q, gpa_t at, u16 value)
{
    value = htole16(value);
    virtio_write(q->v, at, &value, 2);
}

/* The last field of each ring, with EVENT_IDX: by it the other side says when to tell it (2.7.7, 2.7.10). */
static gpa_t used_event(const struct virtqueue *q) { return q->driver + RING + 2 * q->size; }
static gpa_t avail_event(const struct virtqueue *q) { return q->device + RING + sizeof(struct used) * q->size; }

static bool valid(const struct virtqueue *q)
{
    bool power = q->size && !(q->size & (q->size - 1));
    return power && q->size <= q->v->queue_size && !(q->desc % 16) && !(q->driver % 2) && !(q->device % 4);
}

static bool available(struct virtqueue *q)
{
    u16 index;
    if (!get16(q, q->driver + INDEX, &index))
        return false;
    if ((u16)(index - q->next_avail) > q->size)
        return virtio_break(q->v, "the available index has jumped");
    return index != q->next_avail;
}

/* --- a chain --- */

struct table { gpa_t at; u32 entries; bool indirect; };

static bool get_descriptor(const struct virtqueue *q, const struct table *t, u32 n, struct descriptor *d)
{
    if (n >= t->entries)
        return virtio_break(q->v, "a descriptor's number is beyond its table");
    if (!virtio_read(q->v, t->at + sizeof *d * (u64)n, d, sizeof *d))
        return virtio_break(q->v, "a descriptor is not in memory");
    *d = (struct descriptor){ le64toh(d->gpa), le32toh(d->len), le16toh(d->flags), le16toh(d->next) };
    return true;
}

/* The descriptor stands for a table of them (2.7.5.3). */
static bool enter_table(const struct virtqueue *q, struct table *t, const struct descriptor *d)
{
    if (!virtio_has(q->v, VIRTIO_F_INDIRECT_DESC) || t->indirect || d->flags & DESC_NEXT || !d->len || d->len % sizeof *d)
        return virtio_break(q->v, "an indirect table where none may be");
    *t = (struct table){ d->gpa, d->len / sizeof *d, true };
    return true;
}

/* A chain that goes round ends at VQ_CHAIN_MAX pieces: vq_add_piece() refuses. */
static bool collect(struct virtqueue *q, struct vq_chain *c, u32 head)
{
    struct table t = { q->desc, q->size, false };
    struct descriptor d;
    for (u32 n = head;; n = d.next) {
        if (!get_descriptor(q, &t, n, &d))
            return false;
        if (d.flags & DESC_INDIRECT && (!enter_table(q, &t, &d) || !get_descriptor(q, &t, 0, &d)))
            return false;
        if (d.flags & DESC_INDIRECT)
            return virtio_break(q->v, "an indirect table where none may be");
        if (!vq_add_piece(q, c, d.gpa, d.len, d.flags & DESC_WRITE))
            return false;
        if (!(d.flags & DESC_NEXT))
            return true;
    }
}

static bool take(struct virtqueue *q, struct vq_chain *c)
{
    if (!get16(q, q->driver + RING + 2 * (q->next_avail % q->size), &c->id) || !collect(q, c, c->id))
        return false;
    c->slots = 1;
    q->next_avail++;
    return true;
}

static void put(struct virtqueue *q, const struct vq_chain *c, u32 written)
{
    struct used u = { htole32(c->id), htole32(written) };
    if (!virtio_write(q->v, q->device + RING + sizeof u * (q->next_used % q->size), &u, sizeof u)) {
        virtio_break(q->v, "a ring is not in memory");
        return;
    }
    put16(q, q->device + INDEX, ++q->next_used);
}

/* --- who wants to be told of what --- */

/* With EVENT_IDX, not moving the event is enough to have no doorbell. */
static void set_doorbell(struct virtqueue *q, bool wanted)
{
    if (!virtio_has(q->v, VIRTIO_F_EVENT_IDX))
        put16(q, q->device + FLAGS, wanted ? 0 : NO_NOTIFY);
    else if (wanted)
        put16(q, avail_event(q), q->next_avail);
}

/* Has next_used passed the event since the driver was told last? */
static bool interrupt_wanted(struct virtqueue *q)
{
    u16 value;
    if (!virtio_has(q->v, VIRTIO_F_EVENT_IDX))
        return get16(q, q->driver + FLAGS, &value) && !(value & NO_INTERRUPT);
    if (!get16(q, used_event(q), &value))
        return false;
    return !q->told_valid || (u16)(q->next_used - value - 1) < (u16)(q->next_used - q->told);
}

const struct vq_layout vq_split = { valid, available, take, put, set_doorbell, interrupt_wanted };
