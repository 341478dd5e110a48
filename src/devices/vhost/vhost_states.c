/* SPDX-License-Identifier: MIT */
/*
 * Who serves, and who does no more: a driver is ready and the back-end gets the rings; it goes away and is looked for; it is given up; the
 * device is reset. All of it goes by the host's time, for the back-end lives there.
 */
#include "devices/vhost/vhost_inside.h"

enum { RETRY_MS = 50, LOOKS_PER_PULSE = 64 };
#define RINGS_GPA BIT(44)       /* where back-ends believe our rings are: behind all memory of the guest's */

/* --- giving up --- */

/* A device that can say that a request has failed says so from now on; others are broken. */
void vhost_give_up(struct vhost *h, const char *why)
{
    trace(h->v->tracer, VIRTIO, "device=%s back-end=%s given-up=\"%s\" trouble=\"%s\"", h->v->ops->name, h->name, why, h->peer->trouble);
    h->peer->ops->disconnect(h->peer);
    h->state = VHOST_GIVEN_UP;
    timer_cancel(h->clock, &h->look);
    if (h->v->ops->refused)
        vhost_each_ring(h, vhost_refuse_all);
    else
        virtio_break(h->v, why);
}

/* --- connecting the device and its back-end --- */

/* Those that the driver does not use are left alone: their packets would be lost. */
static bool enable_ring(struct vhost *h, struct vhost_ring *r)
{
    bool on = r->q->index < h->server.used;
    if (r->enabled == on || !h->peer->ops->enable_ring)
        return true;
    r->enabled = on;
    return h->peer->ops->enable_ring(h->peer, r->q->index, on);
}

static bool start_ring(struct vhost *h, struct vhost_ring *r)
{
    struct vhost_place at = { VHOST_RING_SIZE, vhost_ring_desc(r), vhost_ring_avail(r), vhost_ring_used(r), r->kick, r->call };
    vhost_ring_renew(r);
    r->started = h->peer->ops->start_ring(h->peer, r->q->index, &at);
    r->enabled = false;
    return r->started && enable_ring(h, r);
}

static bool start_rings(struct vhost *h)
{
    bool ok = true;
    for (unsigned n = 0; n < h->server.queues; n++) {
        h->ring[n].started = false;
        ok = ok && (!h->ring[n].q->enabled || start_ring(h, &h->ring[n]));
    }
    return ok;
}

static bool set_up(struct vhost *h)
{
    const struct vhost_peer_ops *ops = h->peer->ops;
    const struct vhost_shared memory[] = {
        { { 0, h->map->fd_size, (u64)h->map->base, 0 }, h->map->fd },
        { { RINGS_GPA, h->rings * VHOST_RING_BYTES, (u64)h->shared, 0 }, h->shared_fd },
    };
    u64 wanted = h->v->features & h->mask;
    if (wanted & ~h->peer->features)
        return vhost_peer_refuse(h->peer, "features", "it has fewer than the driver uses");
    wanted |= h->v->features & h->peer->features & VIRTIO_F_VERSION_1;
    return ops->set_features(h->peer, wanted) && ops->set_memory(h->peer, memory, ARRAY_LEN(memory)) && start_rings(h) &&
           (!ops->ready || ops->ready(h->peer));
}

static bool try_to_start(struct vhost *h)
{
    h->tried_ms = vhost_host_ms();
    h->peer->waited_ms = 0;
    if (!h->peer->connected && !h->peer->ops->connect(h->peer))
        return false;
    if (!set_up(h)) {
        h->peer->ops->disconnect(h->peer);
        return false;
    }
    h->state = VHOST_SERVED;
    vhost_each_ring(h, vhost_feed);
    vhost_look_soon(h);
    return true;
}

void vhost_started(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    s->queues = h->v->ops->served ? h->v->ops->served(h->v) : h->rings;
    if (try_to_start(h))
        return;
    h->state = VHOST_LOST;
    h->since_ms = h->tried_ms;
}

/* --- losing it, and looking for it --- */

/* What it had finished before is the driver's still. */
static void lose(struct vhost *h)
{
    if (!vhost_serve_rings(h))
        return;
    trace(h->v->tracer, VIRTIO, "device=%s back-end=%s lost trouble=\"%s\"", h->v->ops->name, h->name, h->peer->trouble);
    h->peer->ops->disconnect(h->peer);
    h->state = VHOST_LOST;
    h->since_ms = vhost_host_ms();
    h->tried_ms = 0;
    h->lost++;
    timer_cancel(h->clock, &h->look);
}

/* A driver may be ready before its queue is: then the back-end gets that ring late. */
static bool has_ring(struct vhost *h, struct vhost_ring *r)
{
    h->peer->waited_ms = 0;
    if (!r->started && !start_ring(h, r))
        lose(h);
    return h->state == VHOST_SERVED;
}

void vhost_kicked(struct virtio_server *s, struct virtqueue *q)
{
    struct vhost *h = (struct vhost *)s;
    if (h->state == VHOST_SERVED && has_ring(h, &h->ring[q->index]))
        vhost_feed(h, &h->ring[q->index]);
    else if (h->state == VHOST_GIVEN_UP && h->v->ops->refused)
        vhost_refuse_all(h, &h->ring[q->index]);
    if (h->state == VHOST_SERVED && !timer_armed(&h->look))
        vhost_look_soon(h);
}

void vhost_used_changed(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    bool ok = true;
    h->peer->waited_ms = 0;
    for (unsigned n = 0; n < s->queues && h->state == VHOST_SERVED && ok; n++)
        ok = !h->ring[n].started || enable_ring(h, &h->ring[n]);
    if (!ok)
        lose(h);
}

/* False: it has gone, or said what it must not say. */
static bool attend(struct vhost *h)
{
    struct vhost_peer *p = h->peer;
    p->waited_ms = 0;
    if (!p->ops->alive(p) || (p->ops->attend && !p->ops->attend(p)))
        return false;
    if (p->config_changed && h->v->ops->server_config)
        h->v->ops->server_config(h->v);
    p->config_changed = false;
    return true;
}

static void poll_served(struct vhost *h)
{
    bool pulse = h->listening || ++h->looks % LOOKS_PER_PULSE == 0;
    if (!vhost_serve_rings(h))
        return;
    h->listening = false;
    if (pulse && !attend(h))
        lose(h);
    else if (vhost_owes(h) && vhost_host_ms() - h->progress_ms > h->patience.work_ms)
        vhost_give_up(h, "the back-end does not answer");
}

static void poll_lost(struct vhost *h)
{
    u64 now = vhost_host_ms();
    if (now - h->tried_ms < RETRY_MS)
        return;
    if (!try_to_start(h) && now - h->since_ms > h->patience.work_ms)
        vhost_give_up(h, "the back-end is gone");
}

void vhost_poll(struct vhost *h)
{
    if (!h || !h->v || !virtio_running(h->v))
        return;
    if (h->state == VHOST_SERVED)
        poll_served(h);
    else if (h->state == VHOST_LOST)
        poll_lost(h);
}

/* --- hearing from it --- */

unsigned vhost_listen(struct vhost *h, struct pollfd *fds, unsigned max)
{
    unsigned count = 0;
    h->listening = true;
    if (h->peer->fd >= 0 && count < max)
        fds[count++] = (struct pollfd){ .fd = h->peer->fd, .events = POLLIN };
    if (h->peer->channel >= 0 && count < max)
        fds[count++] = (struct pollfd){ .fd = h->peer->channel, .events = POLLIN };
    for (unsigned n = 0; n < h->server.queues && count < max; n++)
        if (h->ring[n].q->enabled)
            fds[count++] = (struct pollfd){ .fd = h->ring[n].call, .events = POLLIN };
    return count;
}

/* --- reset --- */

/* Until no request is under way: a back-end that stops may still write to what it has begun with. */
static void drain(struct vhost *h)
{
    struct pollfd fds[VIRTIO_QUEUES_MAX + 2];
    u64 end = vhost_host_ms() + h->patience.answer_ms;
    while (vhost_owes(h) && vhost_host_ms() < end && h->peer->ops->alive(h->peer)) {
        for (unsigned n = 0; n < h->server.queues; n++)
            if (h->ring[n].q->enabled && vhost_take_back(h, &h->ring[n], false) < 0)
                return;
        if (vhost_owes(h))
            poll(fds, vhost_listen(h, fds, ARRAY_LEN(fds)), RETRY_MS);
    }
}

static bool stop(struct vhost *h)
{
    drain(h);
    h->peer->waited_ms = 0;
    bool ok = !vhost_owes(h);
    for (unsigned n = 0; n < h->server.queues && ok; n++)
        ok = !h->ring[n].started || h->peer->ops->stop_ring(h->peer, n);
    return ok && (!h->peer->ops->reset || h->peer->ops->reset(h->peer));
}

static void forget(struct vhost *h, struct vhost_ring *r)
{
    while (r->first)
        vhost_ring_drop(r, r->first);
}

void vhost_reset(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    if (h->state == VHOST_SERVED && !stop(h))
        h->peer->ops->disconnect(h->peer);
    timer_cancel(h->clock, &h->look);
    vhost_each_ring(h, forget);
    h->state = VHOST_IDLE;
    s->queues = h->rings;
}

void vhost_orphaned(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    timer_cancel(h->clock, &h->look);
    h->peer->ops->disconnect(h->peer);
    h->state = VHOST_IDLE;
    h->v = NULL;
}
