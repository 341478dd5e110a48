/* SPDX-License-Identifier: MIT */
/* What all virtio devices do alike (virtio 1.2, 2 and 3): status, features, configuration, and being reset. */
#include "devices/virtio/virtio.h"

#include <string.h>

enum { TURN_NS = 1000 };

/* No driver can make more chains available than its ring has entries while the device is at work. Somebody else can who has the same memory
 * (a back-end of vhost-user): after so many it is the machine's turn. */
static void work_due(void *opaque, cycles_t when)
{
    struct virtqueue *q = opaque;
    if (!virtio_running(q->v))
        return;
    q->turn = q->size + 1;
    bool done = q->v->ops->work(q->v, q);
    q->turn = 0;
    if (done && virtqueue_set_doorbell(q, true))
        virtio_work_later(q, TURN_NS);  /* came between the last look and the doorbell's being on again */
}

void virtio_work_later(struct virtqueue *q, u64 ns)
{
    if (timer_armed(&q->work))
        return;
    virtqueue_set_doorbell(q, false);
    timer_set(q->v->clock, &q->work, q->v->clock->now + clock_ns_to_cycles(q->v->clock, ns));
}

void virtio_init(struct virtio *v, const struct virtio_ops *ops, u64 offered, bool packed, const struct platform *to)
{
    v->ops = ops;
    v->offered = offered | VIRTIO_F_VERSION_1 | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | (packed ? VIRTIO_F_RING_PACKED : 0);
    v->clock = to->clock;
    v->tracer = to->tracer;
    v->queue_size = ops->queue_size;
    virtio_set_queues(v, ops->queues);
}

void virtio_set_queues(struct virtio *v, unsigned queues)
{
    v->queues = queues;
    for (unsigned n = 0; n < queues; n++)
        v->queue[n] = (struct virtqueue){ .v = v, .index = n, .size = v->queue_size, .layout = &vq_split,
                                          .work = { .fire = work_due, .opaque = &v->queue[n] } };
}

void virtio_set_queue_size(struct virtio *v, u16 size)
{
    v->queue_size = size;
    virtio_set_queues(v, v->queues);
}

void virtio_connect(struct virtio *v, const struct virtio_transport *t, void *port)
{
    v->transport = t;
    v->port = port;
}

void virtio_fini(struct virtio *v)
{
    if (v->server)
        v->server->orphaned(v->server);
    for (unsigned n = 0; n < v->queues; n++)
        timer_cancel(v->clock, &v->queue[n].work);
    if (v->ops->destroy)
        v->ops->destroy(v);
}

void virtio_reset(struct virtio *v)
{
    if (v->server)
        v->server->reset(v->server);
    for (unsigned n = 0; n < v->queues; n++)
        virtqueue_reset(&v->queue[n], v->queue_size);
    v->status = 0;
    v->features = 0;
    v->legacy = false;
    v->broken = NULL;
    if (v->ops->reset)
        v->ops->reset(v);
    v->transport->reset(v->port);
}

bool virtio_break(struct virtio *v, const char *why)
{
    if (v->broken)
        return false;
    v->broken = why;
    trace(v->tracer, VIRTIO, "device=%s broken=\"%s\"", v->ops->name, why);
    v->status |= v->legacy ? 0 : VIRTIO_NEEDS_RESET;
    if (v->status & VIRTIO_DRIVER_OK && !v->legacy)
        v->transport->config_interrupt(v->port);
    return false;
}

/* --- status and features --- */

void virtio_take_features(struct virtio *v, bool high, u32 features)
{
    if (v->status & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK))
        return;
    v->features = high ? (u32)v->features | (u64)features << 32 : (v->features & ~(u64)0xffffffff) | features;
}

/* By the modern interface, VERSION_1 must be among them (6.1), and those of the legacy one are not offered. */
static bool features_do(const struct virtio *v) { return !(v->features & ~(v->offered & ~VIRTIO_F_ANY_LAYOUT)) && virtio_has(v, VIRTIO_F_VERSION_1); }

static void start(struct virtio *v)
{
    if (v->legacy)
        v->features &= v->offered & 0xffffffff;
    v->status |= VIRTIO_DRIVER_OK;
    if (v->server)
        v->server->started(v->server);
    if (v->ops->started)
        v->ops->started(v);
}

/* A driver never clears bits but by a reset (2.1.1); the device takes FEATURES_OK away when it cannot do what was chosen. */
void virtio_set_status(struct virtio *v, u8 status)
{
    u8 new = status & ~v->status;
    trace(v->tracer, VIRTIO, "device=%s status=0x%x features=0x%llx", v->ops->name, status, (unsigned long long)v->features);
    if (!status) {
        virtio_reset(v);
        return;
    }
    if (new & VIRTIO_FEATURES_OK && !v->legacy && !features_do(v))
        new &= ~VIRTIO_FEATURES_OK;
    v->status |= new & (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_FAILED);
    if (new & VIRTIO_DRIVER_OK && (v->legacy || v->status & VIRTIO_FEATURES_OK))
        start(v);
}

/* --- queues --- */

void virtio_enable_queue(struct virtio *v, struct virtqueue *q)
{
    if (q->enabled)
        return;
    q->layout = virtio_has(v, VIRTIO_F_RING_PACKED) ? &vq_packed : &vq_split;
    if (q->layout->valid(q))
        q->enabled = true;
    else
        virtio_break(v, "a queue's size or place cannot be");
}

void virtio_disable_queue(struct virtio *v, struct virtqueue *q)
{
    bool served = v->server && q->index < v->server->queues;
    if (served && q->enabled && v->status & VIRTIO_DRIVER_OK)
        virtio_break(v, "a queue is taken away while somebody serves it");
    else
        virtqueue_reset(q, v->queue_size);
}

void virtio_kick(struct virtio *v, unsigned queue)
{
    if (queue >= v->queues || !virtio_running(v) || !v->queue[queue].enabled)
        return;
    v->queue[queue].kicks++;
    trace(v->tracer, VIRTIO, "device=%s queue=%u doorbell", v->ops->name, queue);
    if (v->server && queue < v->server->queues)
        v->server->kicked(v->server, &v->queue[queue]);
    else if (v->ops->kicked)
        v->ops->kicked(v, &v->queue[queue]);
}

/* --- configuration --- */

u8 virtio_config_read(const struct virtio *v, u64 offset) { return offset < v->ops->config_size ? v->config[offset] : 0; }

void virtio_config_write(struct virtio *v, u64 offset, unsigned size, u32 value)
{
    bool changed = false;
    for (unsigned i = 0; i < size && offset + i < v->ops->config_size; i++) {
        if (!v->ops->config_writable || !v->ops->config_writable(v, offset + i))
            continue;
        v->config[offset + i] = value >> 8 * i;
        changed = true;
    }
    if (changed && v->ops->config_written)
        v->ops->config_written(v, offset, size);
}

void virtio_config_changed(struct virtio *v)
{
    v->generation++;
    if (v->status & VIRTIO_DRIVER_OK)
        v->transport->config_interrupt(v->port);
}

/* --- memory --- */

static u64 in_page(gpa_t gpa, u64 len)
{
    u64 left = PAGE_SIZE - gpa % PAGE_SIZE;
    return len < left ? len : left;
}

bool virtio_read(const struct virtio *v, gpa_t gpa, void *buf, u64 len)
{
    for (u64 n; len; gpa += n, buf = (u8 *)buf + n, len -= n) {
        n = in_page(gpa, len);
        const u8 *p = v->transport->memory(v->port, gpa, n, false);
        if (!p)
            return false;
        memcpy(buf, p, n);
    }
    return true;
}

bool virtio_write(const struct virtio *v, gpa_t gpa, const void *buf, u64 len)
{
    for (u64 n; len; gpa += n, buf = (const u8 *)buf + n, len -= n) {
        n = in_page(gpa, len);
        u8 *p = v->transport->memory(v->port, gpa, n, true);
        if (!p)
            return false;
        memcpy(p, buf, n);
        v->transport->written(v->port, gpa, n);
    }
    return true;
}
