/* SPDX-License-Identifier: MIT */
/* What both layouts of a virtqueue share: chains and the way through their pieces, and when to interrupt. */
#include "devices/virtio/virtqueue.h"

#include <string.h>

#include "devices/virtio/virtio.h"

void virtqueue_reset(struct virtqueue *q, u16 size)
{
    timer_cancel(q->v->clock, &q->work);
    q->enabled = false;
    q->size = size;
    q->desc = q->driver = q->device = 0;
    q->next_avail = q->next_used = q->told = 0;
    q->avail_wrap = q->used_wrap = q->told_wrap = true;
    q->told_valid = false;
}

/* --- taking and giving back --- */

static bool usable(const struct virtqueue *q) { return q->enabled && virtio_running(q->v); }

bool virtqueue_available(struct virtqueue *q) { return usable(q) && q->layout->available(q); }

bool virtqueue_take(struct virtqueue *q, struct vq_chain *c)
{
    if (q->turn == 1 || !virtqueue_available(q))
        return false;
    q->turn -= q->turn > 0;
    c->readable = c->pieces = 0;
    c->readable_len = c->writable_len = 0;
    if (!q->layout->take(q, c))
        return false;
    c->in = (struct vq_cursor){ 0, 0 };
    c->out = (struct vq_cursor){ c->readable, 0 };
    q->chains++;
    return true;
}

void virtqueue_put(struct virtqueue *q, const struct vq_chain *c, u32 written)
{
    if (usable(q))
        q->layout->put(q, c, written);
}

void virtqueue_interrupt(struct virtqueue *q)
{
    if (!usable(q) || (q->told_valid && q->told == q->next_used && q->told_wrap == q->used_wrap))
        return;
    bool wanted = q->layout->interrupt_wanted(q);
    q->told = q->next_used;
    q->told_wrap = q->used_wrap;
    q->told_valid = true;
    trace(q->v->tracer, VIRTIO, "device=%s queue=%u interrupt=%d used=%u", q->v->ops->name, q->index, wanted, q->next_used);
    if (!wanted) {
        q->quiet++;
        return;
    }
    q->interrupts++;
    q->v->transport->queue_interrupt(q->v->port, q->index);
}

bool virtqueue_set_doorbell(struct virtqueue *q, bool wanted)
{
    if (!usable(q))
        return false;
    q->layout->set_doorbell(q, wanted);
    return wanted && virtqueue_available(q);
}

struct vq_mark virtqueue_mark(const struct virtqueue *q) { return (struct vq_mark){ q->next_avail, q->avail_wrap, q->chains }; }

void virtqueue_return_to(struct virtqueue *q, struct vq_mark m)
{
    q->next_avail = m.next_avail;
    q->avail_wrap = m.avail_wrap;
    q->chains = m.chains;
}

/* --- the way through a chain --- */

bool vq_add_piece(struct virtqueue *q, struct vq_chain *c, gpa_t gpa, u32 len, bool writable)
{
    u64 *total = writable ? &c->writable_len : &c->readable_len;
    if (c->pieces == VQ_CHAIN_MAX)
        return virtio_break(q->v, "a chain is too long, or goes round");
    if (!writable && c->readable < c->pieces)
        return virtio_break(q->v, "a piece to be read stands behind one to be written");
    if (*total + len > BIT(32))
        return virtio_break(q->v, "a chain has more than 2^32 bytes");
    c->piece[c->pieces++] = (struct vq_piece){ gpa, len };
    c->readable += !writable;
    *total += len;
    return true;
}

/* What is next, at most `len` bytes up to the end of a page; NULL: the part is at its end, or not in memory. */
static u8 *step(struct virtqueue *q, struct vq_chain *c, bool writable, u64 len, u64 *got)
{
    struct vq_cursor *at = writable ? &c->out : &c->in;
    unsigned end = writable ? c->pieces : c->readable;
    while (at->piece < end && at->offset == c->piece[at->piece].len)
        *at = (struct vq_cursor){ at->piece + 1, 0 };
    if (at->piece >= end || !len)
        return NULL;
    gpa_t gpa = c->piece[at->piece].gpa + at->offset;
    u64 left = c->piece[at->piece].len - at->offset, in_page = PAGE_SIZE - gpa % PAGE_SIZE;
    *got = left < len ? left : len;
    *got = *got < in_page ? *got : in_page;
    u8 *p = q->v->transport->memory(q->v->port, gpa, *got, writable);
    at->offset += p ? *got : 0;
    return p;
}

bool vq_read(struct virtqueue *q, struct vq_chain *c, void *buf, u64 len)
{
    for (u64 n; len; buf = (u8 *)buf + n, len -= n) {
        const u8 *p = step(q, c, false, len, &n);
        if (!p)
            return false;
        memcpy(buf, p, n);
    }
    return true;
}

bool vq_write(struct virtqueue *q, struct vq_chain *c, const void *buf, u64 len)
{
    for (u64 n; len; buf = (const u8 *)buf + n, len -= n) {
        struct vq_cursor from = c->out;
        u8 *p = step(q, c, true, len, &n);
        if (!p)
            return false;
        memcpy(p, buf, n);
        vq_written(q, c, from, n);
    }
    return true;
}

void vq_written(struct virtqueue *q, const struct vq_chain *c, struct vq_cursor at, u64 len)
{
    for (u64 n; len && at.piece < c->pieces; at = (struct vq_cursor){ at.piece + 1, 0 }, len -= n) {
        n = c->piece[at.piece].len - at.offset;
        n = n < len ? n : len;
        q->v->transport->written(q->v->port, c->piece[at.piece].gpa + at.offset, n);
    }
}

bool vq_write_last(struct virtqueue *q, const struct vq_chain *c, u8 byte)
{
    unsigned n = c->pieces;
    while (n > c->readable && !c->piece[n - 1].len)
        n--;
    return n > c->readable && virtio_write(q->v, c->piece[n - 1].gpa + c->piece[n - 1].len - 1, &byte, 1);
}

/* Pages that follow one another here too become one piece. */
unsigned vq_map(struct virtqueue *q, struct vq_chain *c, bool writable, struct iovec *v, unsigned max, u64 len, u64 *got)
{
    unsigned count = 0;
    *got = 0;
    for (u64 n; *got < len; *got += n) {
        struct vq_cursor before = writable ? c->out : c->in;
        u8 *p = step(q, c, writable, len - *got, &n);
        if (!p)
            break;
        if (count && (u8 *)v[count - 1].iov_base + v[count - 1].iov_len == p) {
            v[count - 1].iov_len += n;
        } else if (count < max) {
            v[count++] = (struct iovec){ p, n };
        } else {
            *(writable ? &c->out : &c->in) = before;
            break;
        }
    }
    return count;
}
