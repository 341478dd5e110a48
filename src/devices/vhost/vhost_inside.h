/* SPDX-License-Identifier: MIT */
/* Inside vhost: what vhost.c makes, vhost_states.c begins and ends, and vhost_chains.c works with. */
#ifndef EMU_DEVICES_VHOST_INSIDE_H
#define EMU_DEVICES_VHOST_INSIDE_H

#include "devices/vhost/vhost.h"
#include "devices/vhost/vhost_ring.h"

enum vhost_state {
    VHOST_IDLE,         /* no driver is ready */
    VHOST_SERVED,
    VHOST_LOST,         /* it has gone; it is looked for */
    VHOST_GIVEN_UP,     /* until the driver resets the device */
};

struct vhost {
    struct virtio_server server;        /* what the virtio device sees; first */
    struct vhost_peer *peer;            /* owned */
    const char *name;                   /* the user's */
    struct vhost_patience patience;
    struct virtio *v;                   /* NULL: it serves nobody yet */
    struct physmap *map;
    struct clock *clock;
    u64 mask;                           /* features that are its */
    u32 answers;
    struct vhost_ring ring[VIRTIO_QUEUES_MAX]; unsigned rings;      /* server.queues of them are in use */
    u8 *shared; int shared_fd;          /* memory of all rings; owned */
    enum vhost_state state;
    u64 since_ms, tried_ms, progress_ms;    /* when it was lost, looked for, and gave back something last; host's time */
    struct timer look;                  /* at what it has done, while something is under way */
    u64 look_ns;
    unsigned looks;
    bool listening;                     /* somebody has waited on the calls: they must be taken away */
    cycles_t last_work;
    u64 chains, lost, to_guest, from_guest; /* counted; the last two in bytes */
    struct vq_chain chain;              /* large, so not on the stack */
};

/* --- vhost_chains.c --- */

/* In that queue, silence means that something is wrong. */
static inline bool vhost_is_answered(const struct vhost *h, unsigned queue) { return h->answers >> queue & 1; }
/* Are requests under way? */
bool vhost_owes(const struct vhost *h);
void vhost_each_ring(struct vhost *h, void (*do_it)(struct vhost *h, struct vhost_ring *r));
/* All that the driver has made available, as far as the ring has room; the rest when something comes back. */
void vhost_feed(struct vhost *h, struct vhost_ring *r);
/* Everything that is under way or available fails; the device has an answer that says so. */
void vhost_refuse_all(struct vhost *h, struct vhost_ring *r);
/* What the back-end is done with. The guest hears of it behind those who watch its memory, or, without `give`, never. Returns how many
 * chains; -1: the back-end lies. */
int vhost_take_back(struct vhost *h, struct vhost_ring *r, bool give);
/* Of all rings, and what waits is fed. False: it lies, and is given up. */
bool vhost_serve_rings(struct vhost *h);
/* From now on it is looked after in virtual time, as long as something is under way. */
void vhost_look_soon(struct vhost *h);
void vhost_look_due(void *opaque, cycles_t when);

/* --- vhost_states.c --- */

/* What the virtio device calls. */
void vhost_started(struct virtio_server *s);
void vhost_kicked(struct virtio_server *s, struct virtqueue *q);
void vhost_reset(struct virtio_server *s);
void vhost_used_changed(struct virtio_server *s);
void vhost_orphaned(struct virtio_server *s);
void vhost_give_up(struct vhost *h, const char *why);
/* Descriptors that become readable when there is something to be heard of. */
unsigned vhost_listen(struct vhost *h, struct pollfd *fds, unsigned max);

#endif
