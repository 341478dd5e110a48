/* SPDX-License-Identifier: MIT */
#include "devices/vhost/vhost.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/vhost/vhost_ring.h"

enum { RETRY_MS = 50, LOOK_FIRST_NS = 20000, LOOK_LAST_NS = 1000000, LOOKS_PER_PULSE = 64, DATAGRAM_PATIENCE_S = 5 };
#define RINGS_GPA BIT(44)       /* where back-ends believe our rings are: behind all memory of the guest's */

enum state {
    IDLE,           /* no driver is ready */
    SERVED,
    LOST,           /* it has gone; it is looked for */
    GIVEN_UP,       /* until the driver resets the device */
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
    struct vhost_ring ring[VIRTIO_QUEUES_MAX];
    u8 *shared; int shared_fd;          /* memory of all rings; owned */
    enum state state;
    u64 since_ms, tried_ms, progress_ms;    /* when it was lost, looked for, and gave back something last; host's time */
    struct timer look;                  /* at what it has done, while something is under way */
    u64 look_ns;
    unsigned looks;
    bool listening;                     /* somebody has waited on the calls: they must be taken away */
    cycles_t last_work;
    u64 chains, lost;                   /* counted */
    struct vq_chain chain;              /* large, so not on the stack */
};

bool vhost_peer_refuse(struct vhost_peer *p, const char *what, const char *why)
{
    snprintf(p->trouble, sizeof p->trouble, "%s: %s", what, why);
    return false;
}

static bool is_answered(const struct vhost *h, unsigned queue) { return h->answers >> queue & 1; }

/* Are requests under way? */
static bool owes(const struct vhost *h)
{
    for (unsigned n = 0; n < h->server.queues; n++)
        if (is_answered(h, n) && h->ring[n].pendings)
            return true;
    return false;
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

static void look_soon(struct vhost *h)
{
    h->look_ns = LOOK_FIRST_NS;
    if (owes(h))
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

/* All that the driver has made available, as far as the ring has room; the rest when something comes back. */
static void feed(struct vhost *h, struct vhost_ring *r)
{
    if (is_answered(h, r->q->index) && !r->pendings)
        h->progress_ms = vhost_host_ms();
    submit_waiting(h, r);
    do
        take_all(h, r);
    while (!r->waiting && virtqueue_set_doorbell(r->q, true));
    vhost_ring_kick(r);
    virtqueue_interrupt(r->q);
    h->last_work = h->clock->now;
}

/* --- giving up --- */

static void each_ring(struct vhost *h, void (*do_it)(struct vhost *h, struct vhost_ring *r))
{
    for (unsigned n = 0; n < h->server.queues; n++)
        if (h->ring[n].q->enabled)
            do_it(h, &h->ring[n]);
}

static void refuse_all(struct vhost *h, struct vhost_ring *r)
{
    while (r->first)
        refuse(h, r, r->first);
    do
        while (virtqueue_take(r->q, &h->chain)) {
            u32 written = h->v->ops->refused(h->v, r->q, &h->chain);
            virtqueue_put(r->q, &h->chain, written);
        }
    while (virtqueue_set_doorbell(r->q, true));
    virtqueue_interrupt(r->q);
}

/* A device that can say that a request has failed says so from now on; others are broken. */
static void give_up(struct vhost *h, const char *why)
{
    trace(h->v->tracer, VIRTIO, "device=%s back-end=%s given-up=\"%s\" trouble=\"%s\"", h->v->ops->name, h->name, why, h->peer->trouble);
    h->peer->ops->disconnect(h->peer);
    h->state = GIVEN_UP;
    timer_cancel(h->clock, &h->look);
    if (h->v->ops->refused)
        each_ring(h, refuse_all);
    else
        virtio_break(h->v, why);
}

/* --- connecting the device and its back-end --- */

static bool start_rings(struct vhost *h)
{
    for (unsigned n = 0; n < h->server.queues; n++) {
        struct vhost_ring *r = &h->ring[n];
        struct vhost_place at = { VHOST_RING_SIZE, vhost_ring_desc(r), vhost_ring_avail(r), vhost_ring_used(r), r->kick, r->call };
        if (!r->q->enabled)
            continue;
        vhost_ring_renew(r);
        if (!h->peer->ops->start_ring(h->peer, n, &at))
            return false;
    }
    return true;
}

static bool set_up(struct vhost *h)
{
    const struct vhost_peer_ops *ops = h->peer->ops;
    const struct vhost_shared memory[] = {
        { { 0, h->map->fd_size, (u64)h->map->base, 0 }, h->map->fd },
        { { RINGS_GPA, h->server.queues * VHOST_RING_BYTES, (u64)h->shared, 0 }, h->shared_fd },
    };
    u64 wanted = h->v->features & h->mask;
    if (wanted & ~h->peer->features)
        return vhost_peer_refuse(h->peer, "features", "it has fewer than the driver uses");
    wanted |= h->v->features & h->peer->features & VIRTIO_F_VERSION_1;
    return ops->set_features(h->peer, wanted) && ops->set_memory(h->peer, memory, ARRAY_LEN(memory)) && start_rings(h);
}

static bool try_to_start(struct vhost *h)
{
    h->tried_ms = vhost_host_ms();
    if (!h->peer->connected && !h->peer->ops->connect(h->peer))
        return false;
    if (!set_up(h)) {
        h->peer->ops->disconnect(h->peer);
        return false;
    }
    h->state = SERVED;
    each_ring(h, feed);
    look_soon(h);
    return true;
}

static void server_started(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    if (try_to_start(h))
        return;
    h->state = LOST;
    h->since_ms = h->tried_ms;
}

static void server_kicked(struct virtio_server *s, struct virtqueue *q)
{
    struct vhost *h = (struct vhost *)s;
    if (h->state == SERVED)
        feed(h, &h->ring[q->index]);
    else if (h->state == GIVEN_UP && h->v->ops->refused)
        refuse_all(h, &h->ring[q->index]);
    if (h->state == SERVED && !timer_armed(&h->look))
        look_soon(h);
}

/* --- chains back --- */

/* The guest hears of it behind those who watch its memory. Returns how many; -1: the back-end lies. */
static int take_back(struct vhost *h, struct vhost_ring *r, bool give)
{
    struct vhost_pending *p;
    u32 written;
    int count = 0, n;
    for (; (n = vhost_ring_done(r, &p, &written)) > 0; count++) {
        vq_written(r->q, &p->chain, (struct vq_cursor){ p->chain.readable, 0 }, p->chain.writable_len);
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
    int n = r->q->enabled ? take_back(h, r, true) : 0;
    if (n < 0) {
        virtqueue_interrupt(r->q);
        give_up(h, "the back-end gives back what it never got");
        return false;
    }
    if (n > 0) {
        h->look_ns = LOOK_FIRST_NS;
        h->progress_ms = is_answered(h, r->q->index) ? vhost_host_ms() : h->progress_ms;
        feed(h, r);
    }
    return true;
}

static bool serve_rings(struct vhost *h)
{
    bool ok = true;
    for (unsigned n = 0; n < h->server.queues && ok; n++)
        ok = serve_ring(h, &h->ring[n]);
    return ok;
}

/* A look costs no system call. The longer nothing comes, the rarer. */
static void look_due(void *opaque, cycles_t when)
{
    struct vhost *h = opaque;
    if (h->state != SERVED || !virtio_running(h->v) || !serve_rings(h) || !owes(h))
        return;
    h->look_ns = 2 * h->look_ns < LOOK_LAST_NS ? 2 * h->look_ns : LOOK_LAST_NS;
    timer_set(h->clock, &h->look, h->clock->now + clock_ns_to_cycles(h->clock, h->look_ns));
}

/* --- the host's time --- */

/* What it had finished before is the driver's still. */
static void lose(struct vhost *h)
{
    if (!serve_rings(h))
        return;
    trace(h->v->tracer, VIRTIO, "device=%s back-end=%s lost trouble=\"%s\"", h->v->ops->name, h->name, h->peer->trouble);
    h->peer->ops->disconnect(h->peer);
    h->state = LOST;
    h->since_ms = vhost_host_ms();
    h->tried_ms = 0;
    h->lost++;
    timer_cancel(h->clock, &h->look);
}

static void poll_served(struct vhost *h)
{
    bool pulse = h->listening || ++h->looks % LOOKS_PER_PULSE == 0;
    if (!serve_rings(h))
        return;
    h->listening = false;
    if (pulse && !h->peer->ops->alive(h->peer))
        lose(h);
    else if (owes(h) && vhost_host_ms() - h->progress_ms > h->patience.work_ms)
        give_up(h, "the back-end does not answer");
}

static void poll_lost(struct vhost *h)
{
    u64 now = vhost_host_ms();
    if (now - h->tried_ms < RETRY_MS)
        return;
    if (!try_to_start(h) && now - h->since_ms > h->patience.work_ms)
        give_up(h, "the back-end is gone");
}

void vhost_poll(struct vhost *h)
{
    if (!h || !h->v || !virtio_running(h->v))
        return;
    if (h->state == SERVED)
        poll_served(h);
    else if (h->state == LOST)
        poll_lost(h);
}

static unsigned listen_to(struct vhost *h, struct pollfd *fds, unsigned max)
{
    unsigned count = 0;
    h->listening = true;
    if (h->peer->fd >= 0 && count < max)
        fds[count++] = (struct pollfd){ .fd = h->peer->fd, .events = POLLIN };
    for (unsigned n = 0; n < h->server.queues && count < max; n++)
        if (h->ring[n].q->enabled)
            fds[count++] = (struct pollfd){ .fd = h->ring[n].call, .events = POLLIN };
    return count;
}

/* Of a broken device nobody is heard: vhost_poll() would not take the calls away, and waiting would be over at once, again and again. */
unsigned vhost_fds(struct vhost *h, struct pollfd *fds, unsigned max)
{
    return h && h->state == SERVED && virtio_running(h->v) ? listen_to(h, fds, max) : 0;
}

/* A network's peer may answer for a while, without owing it. */
bool vhost_waits(const struct vhost *h)
{
    if (!h || !h->v || !virtio_running(h->v) || h->state == IDLE || h->state == GIVEN_UP)
        return false;
    bool all = h->answers == BIT(h->server.queues) - 1;
    return h->state == LOST || owes(h) || (!all && h->clock->now - h->last_work < DATAGRAM_PATIENCE_S * h->clock->hz);
}

/* --- reset --- */

/* Until no request is under way: a back-end that stops may still write to what it has begun with. */
static void drain(struct vhost *h)
{
    struct pollfd fds[VIRTIO_QUEUES_MAX + 1];
    u64 end = vhost_host_ms() + h->patience.answer_ms;
    while (owes(h) && vhost_host_ms() < end && h->peer->ops->alive(h->peer)) {
        for (unsigned n = 0; n < h->server.queues; n++)
            if (h->ring[n].q->enabled && take_back(h, &h->ring[n], false) < 0)
                return;
        if (owes(h))
            poll(fds, listen_to(h, fds, ARRAY_LEN(fds)), RETRY_MS);
    }
}

static bool stop(struct vhost *h)
{
    drain(h);
    bool ok = !owes(h);
    for (unsigned n = 0; n < h->server.queues && ok; n++)
        ok = !h->ring[n].q->enabled || h->peer->ops->stop_ring(h->peer, n);
    return ok;
}

static void forget(struct vhost *h, struct vhost_ring *r)
{
    while (r->first)
        vhost_ring_drop(r, r->first);
}

static void server_reset(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    if (h->state == SERVED && !stop(h))
        h->peer->ops->disconnect(h->peer);
    timer_cancel(h->clock, &h->look);
    each_ring(h, forget);
    h->state = IDLE;
}

static void server_orphaned(struct virtio_server *s)
{
    struct vhost *h = (struct vhost *)s;
    timer_cancel(h->clock, &h->look);
    h->peer->ops->disconnect(h->peer);
    h->state = IDLE;
    h->v = NULL;
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
    h->server = (struct virtio_server){ 0, server_started, server_kicked, server_reset, server_orphaned };
    h->look = (struct timer){ .fire = look_due, .opaque = h };
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
    for (unsigned n = 0; n < h->server.queues; n++)
        vhost_ring_fini(&h->ring[n]);
    if (h->shared)
        munmap(h->shared, h->server.queues * VHOST_RING_BYTES);
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
    h->server.queues = queues;
    for (unsigned n = 0; n < queues; n++)
        if (!vhost_ring_init(&h->ring[n], &v->queue[n], h->shared + n * VHOST_RING_BYTES, to->map->base))
            vhost_peer_refuse(h->peer, "event descriptors", strerror(errno));
    h->v = v;
    v->server = &h->server;
    v->offered = (v->offered & ~mask) | (h->peer->features & mask);
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
