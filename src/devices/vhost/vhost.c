/* SPDX-License-Identifier: MIT */
/* A back-end's life, from the option that names it to the machine's end, and what the run loop asks. */
#include "devices/vhost/vhost.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/vhost/vhost_inside.h"

enum { DATAGRAM_PATIENCE_S = 5 };

bool vhost_peer_refuse(struct vhost_peer *p, const char *what, const char *why)
{
    snprintf(p->trouble, sizeof p->trouble, "%s: %s", what, why);
    return false;
}

/* --- its life --- */

struct vhost *vhost_new(struct vhost_peer *p, const char *name, struct vhost_patience patience, struct error *err)
{
    struct vhost *h = p ? calloc(1, sizeof *h) : NULL;
    if (!h) {
        if (p)
            p->ops->close(p);
        error_set(err, "%s: no memory", name);
        return NULL;
    }
    h->peer = p;
    h->name = name;
    h->shared_fd = -1;
    h->patience.answer_ms = p->patience_ms = patience.answer_ms ? patience.answer_ms : VHOST_PATIENCE_MS;
    h->patience.work_ms = patience.work_ms ? patience.work_ms : VHOST_WORK_PATIENCE_MS;
    h->server = (struct virtio_server){ 0, UINT_MAX, vhost_used_changed, vhost_started, vhost_kicked, vhost_reset, vhost_orphaned };
    h->look = (struct timer){ .fire = vhost_look_due, .opaque = h };
    if (p->ops->connect(p))
        return h;
    error_set(err, "%s: the back-end cannot be had: %s", name, p->trouble);
    vhost_free(h);
    return NULL;
}

void vhost_free(struct vhost *h)
{
    if (!h)
        return;
    h->peer->ops->disconnect(h->peer);
    for (unsigned n = 0; n < h->rings; n++)
        vhost_ring_fini(&h->ring[n]);
    if (h->shared)
        munmap(h->shared, h->rings * VHOST_RING_BYTES);
    if (h->shared_fd >= 0)
        close(h->shared_fd);
    h->peer->ops->close(h->peer);
    free(h);
}

static bool share_memory(struct vhost *h, unsigned queues)
{
    size_t size = queues * VHOST_RING_BYTES;
    h->shared_fd = memfd_create("emu-vhost-rings", MFD_CLOEXEC);
    if (h->shared_fd < 0 || ftruncate(h->shared_fd, size))
        return false;
    u8 *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, h->shared_fd, 0);
    h->shared = at == MAP_FAILED ? NULL : at;
    return h->shared;
}

/* A host that is out of memory has no back-end for us: the device finds it gone. */
void vhost_serve(struct vhost *h, struct virtio *v, const struct platform *to, unsigned queues, u32 answers, u64 mask)
{
    if (!share_memory(h, queues))
        return;
    h->map = to->map;
    h->clock = to->clock;
    h->mask = mask;
    h->answers = answers;
    h->server.queues = h->rings = queues;
    for (unsigned n = 0; n < queues; n++)
        if (!vhost_ring_init(&h->ring[n], &v->queue[n], h->shared + n * VHOST_RING_BYTES, to->map->base))
            vhost_peer_refuse(h->peer, "event descriptors", strerror(errno));
    h->v = v;
    v->server = &h->server;
    v->offered = (v->offered & ~mask) | (h->peer->features & mask);
}

/* --- for the run loop, and for people --- */

/* Of a broken device nobody is heard: vhost_poll() would not take the calls away, and waiting would be over at once, again and again. */
unsigned vhost_fds(struct vhost *h, struct pollfd *fds, unsigned max)
{
    return h && h->state == VHOST_SERVED && virtio_running(h->v) ? vhost_listen(h, fds, max) : 0;
}

/* A network's peer may answer for a while, without owing it. */
bool vhost_waits(const struct vhost *h)
{
    if (!h || !h->v || !virtio_running(h->v) || h->state == VHOST_IDLE || h->state == VHOST_GIVEN_UP)
        return false;
    bool all = h->answers == BIT(h->server.queues) - 1;
    return h->state == VHOST_LOST || vhost_owes(h) || (!all && h->clock->now - h->last_work < DATAGRAM_PATIENCE_S * h->clock->hz);
}

u64 vhost_features(const struct vhost *h) { return h->peer->features; }
unsigned vhost_queues(const struct vhost *h) { return h->peer->queues; }
bool vhost_config(struct vhost *h, void *to, u32 len) { return h->peer->ops->config && h->peer->ops->config(h->peer, to, len); }
const char *vhost_trouble(const struct vhost *h) { return h->peer->trouble; }

void vhost_info(const struct vhost *h, FILE *out)
{
    static const char *const state[] = { "waits for the driver", "serves", "is lost", "is given up" };
    fprintf(out, "  %s %s %s, %llu chains, lost %llu times%s%s\n", h->peer->ops->name, h->name, state[h->state], (unsigned long long)h->chains,
            (unsigned long long)h->lost, *h->peer->trouble ? ": " : "", h->peer->trouble);
}

void vhost_moved(const struct vhost *h, u64 *to_guest, u64 *from_guest)
{
    *to_guest = h->to_guest;
    *from_guest = h->from_guest;
}
