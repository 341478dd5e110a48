/* SPDX-License-Identifier: MIT */
/*
 * Packed rings (virtio 1.2, 2.8). There is one ring of descriptors: the driver makes them available in place, the device overwrites them
 * with used ones. Two bits of each say whose it is; their sense turns with each round, which the wrap counters follow.
 */
#include <endian.h>

#include "devices/virtio/virtio.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 };
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2, EVENT_WRAP = 1 << 15 };

struct descriptor { u64 gpa; u32 len; u16 id, flags; };
_Static_assert(sizeof(struct descriptor) == 16, "2.8.13");
struct event { u16 place, flags; };     /* place: of a descriptor, with the wrap counter on top (2.8.14) */

static bool valid(const struct virtqueue *q)
{
    return q->size && q->size <= q->v->queue_size && !(q->desc % 16) && !(q->driver % 4) && !(q->device % 4);
}

static bool get_descriptor(const struct virtqueue *q, gpa_t at, struct descriptor *d)
{
    if (!virtio_read(q->v, at, d, sizeof *d))
        return virtio_break(q->v, "a descriptor is not in memory");
    *d = (struct descriptor){ le64toh(d->gpa), le32toh(d->len), le16toh(d->id), le16toh(d->flags) };
    return true;
}

static gpa_t place(const struct virtqueue *q, u16 n) { return q->desc + sizeof(struct descriptor) * n; }

static bool available(struct virtqueue *q)
{
    struct descriptor d;
    if (!get_descriptor(q, place(q, q->next_avail), &d))
        return false;
    return !!(d.flags & DESC_AVAIL) == q->avail_wrap && !!(d.flags & DESC_USED) != q->avail_wrap;
}

/* Move on by n places; the wrap counter turns at the end of the ring. */
static void advance(const struct virtqueue *q, u16 *at, bool *wrap, u16 n)
{
    *at += n;
    if (*at < q->size)
        return;
    *at -= q->size;
    *wrap = !*wrap;
}

/* A table's descriptors follow one another; only WRITE counts of their flags (2.8.7). */
static bool collect_table(struct virtqueue *q, struct vq_chain *c, const struct descriptor *table)
{
    struct descriptor d;
    if (!virtio_has(q->v, VIRTIO_F_INDIRECT_DESC) || table->flags & DESC_NEXT || c->pieces || !table->len || table->len % sizeof d)
        return virtio_break(q->v, "an indirect table where none may be");
    for (u32 n = 0; n < table->len / sizeof d; n++)
        if (!get_descriptor(q, table->gpa + n * sizeof d, &d) || !vq_add_piece(q, c, d.gpa, d.len, d.flags & DESC_WRITE))
            return false;
    return true;
}

/* The chain is as long as the ring at most; the last descriptor has its id (2.8.6). */
static bool take(struct virtqueue *q, struct vq_chain *c)
{
    struct descriptor d;
    u16 at = q->next_avail;
    bool wrap = q->avail_wrap;
    for (c->slots = 0;; advance(q, &at, &wrap, 1)) {
        if (c->slots++ == q->size)
            return virtio_break(q->v, "a chain is too long, or goes round");
        if (!get_descriptor(q, place(q, at), &d))
            return false;
        if (!(d.flags & DESC_INDIRECT ? collect_table(q, c, &d) : vq_add_piece(q, c, d.gpa, d.len, d.flags & DESC_WRITE)))
            return false;
        if (!(d.flags & DESC_NEXT))
            break;
    }
    c->id = d.id;
    advance(q, &q->next_avail, &q->avail_wrap, c->slots);
    return true;
}

/* The flags come last: by them the driver sees that the rest is there. */
static void put(struct virtqueue *q, const struct vq_chain *c, u32 written)
{
    u16 flags = (q->used_wrap ? DESC_AVAIL | DESC_USED : 0) | (written ? DESC_WRITE : 0);
    struct descriptor d = { 0, htole32(written), htole16(c->id), htole16(flags) };
    if (!virtio_write(q->v, place(q, q->next_used) + sizeof d.gpa, &d.len, sizeof d - sizeof d.gpa))
        virtio_break(q->v, "a ring is not in memory");
    advance(q, &q->next_used, &q->used_wrap, c->slots);
}

/* --- who wants to be told of what --- */

static void set_doorbell(struct virtqueue *q, bool wanted)
{
    bool by_place = wanted && virtio_has(q->v, VIRTIO_F_EVENT_IDX);
    struct event e = { htole16(q->next_avail | (q->avail_wrap ? EVENT_WRAP : 0)), htole16(by_place ? EVENT_DESC : wanted ? EVENT_ENABLE : EVENT_DISABLE) };
    virtio_write(q->v, q->device, &e, sizeof e);
}

/* Steps from one place to another, over two rounds of the ring. */
static u32 distance(const struct virtqueue *q, u16 from, bool from_wrap, u16 to, bool to_wrap)
{
    u32 round = 2 * q->size, a = from + (from_wrap ? 0 : q->size), b = to + (to_wrap ? 0 : q->size);
    return (b + round - a) % round;
}

/* Was the descriptor at the event's place used since the driver was told last? */
static bool interrupt_wanted(struct virtqueue *q)
{
    struct event e;
    if (!virtio_read(q->v, q->driver, &e, sizeof e))
        return virtio_break(q->v, "a ring is not in memory");
    u16 at = le16toh(e.place), flags = le16toh(e.flags);
    if (flags != EVENT_DESC || !virtio_has(q->v, VIRTIO_F_EVENT_IDX))
        return flags != EVENT_DISABLE;
    if (!q->told_valid || (at & (EVENT_WRAP - 1)) >= q->size)
        return true;
    return distance(q, q->told, q->told_wrap, at & (EVENT_WRAP - 1), at & EVENT_WRAP) <
           distance(q, q->told, q->told_wrap, q->next_used, q->used_wrap);
}

const struct vq_layout vq_packed = { valid, available, take, put, set_doorbell, interrupt_wanted };
