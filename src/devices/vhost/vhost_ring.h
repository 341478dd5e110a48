/* SPDX-License-Identifier: MIT */
/*
 * The ring that a back-end really sees. It is a split ring (virtio 1.2, 2.7) in memory of ours, not the driver's: the driver's chains
 * are copied over, and what the back-end has done is given back to the driver's ring. Three things come of that:
 *
 *   - the guest cannot see an answer before we have: pages that the back-end has filled may hold code that was translated, or page tables
 *     that are traced, and their observers must hear of it first;
 *   - what the driver writes is checked by the same code as for a device of ours, and the back-end may know neither packed rings, nor
 *     indirect tables, nor event indices, nor an IOMMU;
 *   - we know what is under way, and can ask the next back-end for it when this one dies.
 *
 * The back-end may change its side at any time: each word is copied once, checked, and the copy is used.
 */
#ifndef EMU_DEVICES_VHOST_RING_H
#define EMU_DEVICES_VHOST_RING_H

#include "devices/virtio/virtio.h"

enum { VHOST_RING_SIZE = 1024 };        /* entries; a chain takes one for each of its pieces */
#define VHOST_RING_BYTES 0x8000u        /* of memory that both ends share */

/* A chain that the driver has made available, and the back-end has not given back. */
struct vhost_pending {
    struct vhost_pending *next, **link; /* in the order in which they came */
    bool submitted;                     /* the back-end knows it, */
    u16 head;                           /* by this number */
    u16 slots;                          /* entries that it takes */
    struct vq_chain chain;              /* with as many pieces as there are: the last */
};

struct vhost_ring {
    struct virtqueue *q;                /* the driver's */
    u8 *shared;                         /* VHOST_RING_BYTES */
    const u8 *base;                     /* the guest's memory here; what stands in a descriptor is a place in it */
    int kick, call;                     /* event descriptors; owned */
    u16 free_head, free;                /* entries that no chain has: a list through next_free[] */
    u16 next_free[VHOST_RING_SIZE];
    u16 avail, used;                    /* indices, modulo 2^16 */
    struct vhost_pending *by_head[VHOST_RING_SIZE];
    struct vhost_pending *first, **last; unsigned pendings;     /* owned */
    struct vhost_pending *waiting;      /* the first that is not submitted: none behind it is */
    bool started, enabled;              /* the back-end has it, and serves it */
    bool dirty;                         /* something was submitted since the last kick */
};

/* Zeroed storage, then empty. False: the host gives no event descriptors. */
bool vhost_ring_init(struct vhost_ring *r, struct virtqueue *q, u8 *shared, const u8 *base);
void vhost_ring_fini(struct vhost_ring *r);
/* As a new back-end expects it: no entry is used; the pendings wait to be submitted again. */
void vhost_ring_renew(struct vhost_ring *r);

/* Take over a chain. NULL: no memory. */
struct vhost_pending *vhost_ring_pend(struct vhost_ring *r, const struct vq_chain *c);
void vhost_ring_drop(struct vhost_ring *r, struct vhost_pending *p);

enum vhost_submitted { VHOST_SUBMITTED, VHOST_FULL, VHOST_IMPOSSIBLE /* not in memory, or too many pieces */ };
/* The one that waits first. */
enum vhost_submitted vhost_ring_submit(struct vhost_ring *r, struct vhost_pending *p);
/* Tell the back-end of what was submitted, if it wants to hear. */
void vhost_ring_kick(struct vhost_ring *r);

/* The next chain that it has given back, still pending, with the bytes that it says were written: 1. 0: there is none; -1: it lies. */
int vhost_ring_done(struct vhost_ring *r, struct vhost_pending **p, u32 *written);
/* Its call is heard; does not wait. */
void vhost_ring_hear(struct vhost_ring *r);

/* Where its parts are, by our addresses. */
u64 vhost_ring_desc(const struct vhost_ring *r);
u64 vhost_ring_avail(const struct vhost_ring *r);
u64 vhost_ring_used(const struct vhost_ring *r);

#endif
