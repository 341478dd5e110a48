/* SPDX-License-Identifier: MIT */
/* Chains on their way: from the driver's ring to the back-end's, and back. */
#include "devices/vhost/vhost_inside.h"

enum { LOOK_FIRST_NS = 20000, LOOK_LAST_NS = 1000000 };

bool vhost_owes(const struct vhost *h)
{
    for (unsigned n = 0; n < h->server.queues; n++)
        if (vhost_is_answered(h, n) && h->ring[n].pendings)
            return true;
    return false;
}

void vhost_each_ring(struct vhost *h, void (*do_it)(struct vhost *h, struct vhost_ring *r))
{
    for (unsigned n = 0; n < h->server.queues; n++)
        if (h->ring[n].q->enabled)
            do_it(h, &h->ring[n]);
}

/* --- chains there --- */

/* What cannot be done is answered as the device would. */
static void refuse(struct vhost *h, struct vhost_ring *r, struct vhost_pending *p)
{
    u32 written = h->v->ops->refused ? h->v->ops->refused(h->v, r->q, &p->chain) : 0;
    virtqueue_put(r->q, &p->chain, written);
    vhost_ring_drop(r, p);
}

static void submit_waiting(struct vhost *h, struct vhost_ring *r)
{
    enum vhost_submitted s = VHOST_SUBMITTED;
    while (r->waiting && s != VHOST_FULL) {
        struct vhost_pending *p = r->waiting;
        s = vhost_ring_submit(r, p);
        if (s == VHOST_IMPOSSIBLE)
            refuse(h, r, p);
    }
}

void vhost_look_soon(struct vhost *h)
{
    h->look_ns = LOOK_FIRST_NS;
    if (vhost_owes(h))
        timer_set(h->clock, &h->look, h->clock->now + clock_ns_to_cycles(h->clock, h->look_ns));
}

static void take_all(struct vhost *h, struct vhost_ring *r)
{
    while (!r->waiting && virtqueue_take(r->q, &h->chain)) {
        if (!vhost_ring_pend(r, &h->chain)) {
            virtio_break(h->v, "the host has no memory for a request");
            return;
        }
        submit_waiting(h, r);
        h->chains++;
    }
}

/* A ringful at most: a back-end, which has the driver's memory too, could make available more and more. */
static void begin_turn(struct vhost_ring *r) { r->q->turn = r->q->size + 1; }
static bool end_of_turn(const struct vhost_ring *r) { return r->q->turn == 1; }

void vhost_feed(struct vhost *h, struct vhost_ring *r)
{
    if (vhost_is_answered(h, r->q->index) && !r->pendings)
        h->progress_ms = vhost_host_ms();
    submit_waiting(h, r);
    begin_turn(r);
    do
        take_all(h, r);
    while (!r->waiting && virtqueue_set_doorbell(r->q, true) && !end_of_turn(r));
    r->q->turn = 0;
    vhost_ring_kick(r);
    virtqueue_interrupt(r->q);
    h->last_work = h->clock->now;
}

void vhost_refuse_all(struct vhost *h, struct vhost_ring *r)
{
    while (r->first)
        refuse(h, r, r->first);
    begin_turn(r);
    do
        while (virtqueue_take(r->q, &h->chain)) {
            u32 written = h->v->ops->refused(h->v, r->q, &h->chain);
            virtqueue_put(r->q, &h->chain, written);
        }
    while (virtqueue_set_doorbell(r->q, true) && !end_of_turn(r));
    r->q->turn = 0;
    virtqueue_interrupt(r->q);
}

/* --- chains back --- */

int vhost_take_back(struct vhost *h, struct vhost_ring *r, bool give)
{
    struct vhost_pending *p;
    u32 written;
    int count = 0, n;
    for (; (n = vhost_ring_done(r, &p, &written)) > 0; count++) {
        vq_written(r->q, &p->chain, (struct vq_cursor){ p->chain.readable, 0 }, p->chain.writable_len);
        h->to_guest += written;
        h->from_guest += p->chain.readable_len;
        if (give)
            virtqueue_put(r->q, &p->chain, written);
        vhost_ring_drop(r, p);
    }
    if (n < 0)
        return -1;
    if (count || h->listening)
        vhost_ring_hear(r);
    return count;
}

static bool serve_ring(struct vhost *h, struct vhost_ring *r)
{
    int n = r->q->enabled ? vhost_take_back(h, r, true) : 0;
    if (n < 0) {
        virtqueue_interrupt(r->q);
        vhost_give_up(h, "the back-end gives back what it never got");
        return false;
    }
    if (n > 0) {
        h->look_ns = LOOK_FIRST_NS;
        h->progress_ms = vhost_is_answered(h, r->q->index) ? vhost_host_ms() : h->progress_ms;
        vhost_feed(h, r);
    }
    return true;
}

bool vhost_serve_rings(struct vhost *h)
{
    bool ok = true;
    for (unsigned n = 0; n < h->server.queues && ok; n++)
        ok = serve_ring(h, &h->ring[n]);
    return ok;
}

/* A look costs no system call. The longer nothing comes, the rarer. */
void vhost_look_due(void *opaque, cycles_t when)
{
    struct vhost *h = opaque;
    if (h->state != VHOST_SERVED || !virtio_running(h->v) || !vhost_serve_rings(h) || !vhost_owes(h))
        return;
    h->look_ns = 2 * h->look_ns < LOOK_LAST_NS ? 2 * h->look_ns : LOOK_LAST_NS;
    timer_set(h->clock, &h->look, h->clock->now + clock_ns_to_cycles(h->clock, h->look_ns));
}
