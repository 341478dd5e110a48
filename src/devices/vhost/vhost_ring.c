/* SPDX-License-Identifier: MIT */
/* A split ring from the driver's side (virtio 1.2, 2.7.13), in memory that a stranger writes to as well. */
#include "devices/vhost/vhost_ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, NO_NOTIFY = 1 };

/* As it lies in shared memory; the host is little-endian, as the ring is. */
struct descriptor { u64 gpa; u32 len; u16 flags, next; };
struct avail { u16 flags, index, ring[VHOST_RING_SIZE]; };
struct used { u16 flags, index; struct { u32 id, len; } ring[VHOST_RING_SIZE]; };
struct shared { struct descriptor desc[VHOST_RING_SIZE]; struct avail avail; u16 unused[2046]; struct used used; };
_Static_assert(sizeof(struct shared) <= VHOST_RING_BYTES && offsetof(struct shared, used) % 4 == 0, "2.7: alignment, and room");

static struct shared *shared(const struct vhost_ring *r) { return (struct shared *)r->shared; }
u64 vhost_ring_desc(const struct vhost_ring *r) { return (u64)shared(r)->desc; }
u64 vhost_ring_avail(const struct vhost_ring *r) { return (u64)&shared(r)->avail; }
u64 vhost_ring_used(const struct vhost_ring *r) { return (u64)&shared(r)->used; }

/* --- its life --- */

bool vhost_ring_init(struct vhost_ring *r, struct virtqueue *q, u8 *memory, const u8 *base)
{
    r->q = q;
    r->shared = memory;
    r->base = base;
    r->last = &r->first;
    r->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    r->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    vhost_ring_renew(r);
    return r->kick >= 0 && r->call >= 0;
}

void vhost_ring_fini(struct vhost_ring *r)
{
    while (r->first)
        vhost_ring_drop(r, r->first);
    if (r->kick >= 0)
        close(r->kick);
    if (r->call >= 0)
        close(r->call);
}

void vhost_ring_renew(struct vhost_ring *r)
{
    memset(r->shared, 0, VHOST_RING_BYTES);
    memset(r->by_head, 0, sizeof r->by_head);
    for (unsigned i = 0; i < VHOST_RING_SIZE; i++)
        r->next_free[i] = i + 1;
    r->free_head = r->avail = r->used = 0;
    r->free = VHOST_RING_SIZE;
    r->dirty = false;
    for (struct vhost_pending *p = r->first; p; p = p->next)
        p->submitted = false;
    r->waiting = r->first;
}

/* --- what is under way --- */

struct vhost_pending *vhost_ring_pend(struct vhost_ring *r, const struct vq_chain *c)
{
    size_t chain = offsetof(struct vq_chain, piece) + c->pieces * sizeof c->piece[0];
    struct vhost_pending *p = malloc(offsetof(struct vhost_pending, chain) + chain);
    if (!p)
        return NULL;
    memcpy(&p->chain, c, chain);
    p->submitted = false;
    p->next = NULL;
    p->link = r->last;
    *r->last = p;
    r->last = &p->next;
    r->pendings++;
    r->waiting = r->waiting ? r->waiting : p;
    return p;
}

static void free_slots(struct vhost_ring *r, const struct vhost_pending *p)
{
    u16 at = p->head;
    for (unsigned i = 1; i < p->slots; i++)
        at = r->next_free[at];
    r->next_free[at] = r->free_head;
    r->free_head = p->head;
    r->free += p->slots;
    r->by_head[p->head] = NULL;
}

void vhost_ring_drop(struct vhost_ring *r, struct vhost_pending *p)
{
    if (p->submitted)
        free_slots(r, p);
    if (r->waiting == p)
        r->waiting = p->next;
    *p->link = p->next;
    *(p->next ? &p->next->link : &r->last) = p->link;
    r->pendings--;
    free(p);
}

/* --- to the back-end --- */

/* The chain's pieces where they are in our memory: first those to be read. 0: some are nowhere, or they are too many. */
static unsigned map_chain(struct vhost_ring *r, struct vq_chain *c, struct iovec v[VHOST_RING_SIZE], unsigned *readable)
{
    u64 in, out;
    c->in = (struct vq_cursor){ 0, 0 };
    c->out = (struct vq_cursor){ c->readable, 0 };
    *readable = vq_map(r->q, c, false, v, VHOST_RING_SIZE, c->readable_len, &in);
    unsigned writable = vq_map(r->q, c, true, v + *readable, VHOST_RING_SIZE - *readable, c->writable_len, &out);
    return in == c->readable_len && out == c->writable_len ? *readable + writable : 0;
}

/* An entry keeps its successor in next_free[] while it is used: what the back-end sees of it may be changed by it. */
static void fill_entry(struct vhost_ring *r, u16 at, const struct iovec *v, u16 flags)
{
    shared(r)->desc[at] = (struct descriptor){ (u64)((const u8 *)v->iov_base - r->base), v->iov_len, flags, r->next_free[at] };
}

enum vhost_submitted vhost_ring_submit(struct vhost_ring *r, struct vhost_pending *p)
{
    struct iovec v[VHOST_RING_SIZE];
    unsigned readable, n = map_chain(r, &p->chain, v, &readable);
    if (!n)
        return VHOST_IMPOSSIBLE;
    if (n > r->free)
        return VHOST_FULL;
    p->head = r->free_head;
    p->slots = n;
    for (unsigned i = 0; i < n; i++) {
        u16 at = r->free_head;
        fill_entry(r, at, &v[i], (i >= readable ? DESC_WRITE : 0) | (i + 1 < n ? DESC_NEXT : 0));
        r->free_head = r->next_free[at];
    }
    r->free -= n;
    r->by_head[p->head] = p;
    p->submitted = r->dirty = true;
    r->waiting = p->next;
    shared(r)->avail.ring[r->avail % VHOST_RING_SIZE] = p->head;
    __atomic_store_n(&shared(r)->avail.index, ++r->avail, __ATOMIC_RELEASE);    /* the entries before the index (2.7.13.3) */
    return VHOST_SUBMITTED;
}

static void ring_bell(int fd)
{
    u64 one = 1;
    if (write(fd, &one, sizeof one) < 0)
        return;     /* its count is at the limit: it is rung already */
}

void vhost_ring_kick(struct vhost_ring *r)
{
    if (!r->dirty)
        return;
    r->dirty = false;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);    /* the index before we look whether it wants to hear (2.7.13.4.1) */
    if (!(__atomic_load_n(&shared(r)->used.flags, __ATOMIC_RELAXED) & NO_NOTIFY))
        ring_bell(r->kick);
}

/* --- back from it --- */

int vhost_ring_done(struct vhost_ring *r, struct vhost_pending **p, u32 *written)
{
    u16 index = __atomic_load_n(&shared(r)->used.index, __ATOMIC_ACQUIRE);
    if (index == r->used)
        return 0;
    u32 id = __atomic_load_n(&shared(r)->used.ring[r->used % VHOST_RING_SIZE].id, __ATOMIC_RELAXED);    /* once: it may be another thing next */
    u32 len = __atomic_load_n(&shared(r)->used.ring[r->used % VHOST_RING_SIZE].len, __ATOMIC_RELAXED);
    *p = id < VHOST_RING_SIZE ? r->by_head[id] : NULL;
    if (!*p || (u16)(index - r->used) > r->pendings)
        return -1;
    r->used++;
    *written = len < (*p)->chain.writable_len ? len : (*p)->chain.writable_len;
    return 1;
}

void vhost_ring_hear(struct vhost_ring *r)
{
    u64 count;
    if (read(r->call, &count, sizeof count) < 0)
        return;     /* nothing was called */
}
