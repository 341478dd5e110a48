/* SPDX-License-Identifier: MIT */
#include "devices/virtio/virtio_select.h"

void virtio_select_reset(struct virtio_select *s)
{
    s->device_features = s->driver_features = 0;
    s->queue = 0;
}

/* --- features --- */

static u32 window(u64 features, u32 select) { return select == 0 ? features : select == 1 ? features >> 32 : 0; }

u32 virtio_select_offered(const struct virtio_select *s) { return window(s->v->offered & ~VIRTIO_F_ANY_LAYOUT, s->device_features); }
u32 virtio_select_taken(const struct virtio_select *s) { return window(s->v->features, s->driver_features); }

void virtio_select_take(const struct virtio_select *s, u32 features)
{
    if (s->driver_features < 2)
        virtio_take_features(s->v, s->driver_features, features);
}

/* --- the selected queue --- */

struct virtqueue *virtio_selected(const struct virtio_select *s) { return s->queue < s->v->queues ? &s->v->queue[s->queue] : NULL; }

struct virtqueue *virtio_selected_unused(const struct virtio_select *s)
{
    struct virtqueue *q = virtio_selected(s);
    return q && !q->enabled ? q : NULL;
}

u16 virtio_select_size(const struct virtio_select *s)
{
    const struct virtqueue *q = virtio_selected(s);
    return q ? q->size : 0;
}

bool virtio_select_enabled(const struct virtio_select *s)
{
    const struct virtqueue *q = virtio_selected(s);
    return q && q->enabled;
}

void virtio_select_set_size(const struct virtio_select *s, u32 size)
{
    struct virtqueue *q = virtio_selected_unused(s);
    if (q)
        q->size = size <= VQ_SIZE_MAX ? size : 0;       /* of which enabling says that it cannot be */
}

void virtio_select_enable(const struct virtio_select *s)
{
    struct virtqueue *q = virtio_selected_unused(s);
    if (q)
        virtio_enable_queue(s->v, q);
}

static gpa_t *place(struct virtqueue *q, enum virtio_part p)
{
    return p == VIRTIO_DESC ? &q->desc : p == VIRTIO_DRIVER_AREA ? &q->driver : &q->device;
}

u32 virtio_select_half(const struct virtio_select *s, enum virtio_part p, bool high)
{
    struct virtqueue *q = virtio_selected(s);
    return q ? *place(q, p) >> (high ? 32 : 0) : 0;
}

void virtio_select_set_half(const struct virtio_select *s, enum virtio_part p, bool high, u32 value)
{
    struct virtqueue *q = virtio_selected_unused(s);
    gpa_t *at = q ? place(q, p) : NULL;
    if (q)
        *at = high ? (u32)*at | (u64)value << 32 : (*at & ~(u64)0xffffffff) | value;
}
