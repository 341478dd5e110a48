/* SPDX-License-Identifier: MIT */
/* The common configuration of virtio's PCI transport (virtio 1.2, 4.1.4.3), a table of fields. */
#include "devices/virtio/virtio_pci.h"

#include <stddef.h>

typedef struct virtio_pci P;

struct virtqueue *virtio_pci_selected(P *p) { return p->queue_select < p->v->queues ? &p->v->queue[p->queue_select] : NULL; }

/* --- features: 64 bits behind a window of 32 --- */

static u32 window(u64 features, u32 select) { return select == 0 ? features : select == 1 ? features >> 32 : 0; }
static u64 get_device_select(P *p) { return p->device_feature_select; }
static void set_device_select(P *p, u32 v) { p->device_feature_select = v; }
static u64 get_device_features(P *p) { return window(p->v->offered & ~VIRTIO_F_ANY_LAYOUT, p->device_feature_select); }
static u64 get_driver_select(P *p) { return p->driver_feature_select; }
static void set_driver_select(P *p, u32 v) { p->driver_feature_select = v; }
static u64 get_driver_features(P *p) { return window(p->v->features, p->driver_feature_select); }
static void set_driver_features(P *p, u32 v)
{
    if (p->driver_feature_select < 2)
        virtio_take_features(p->v, p->driver_feature_select, v);
}

/* --- the device --- */

static u64 get_config_vector(P *p) { return p->config_vector; }
static void set_config_vector(P *p, u32 v) { p->config_vector = virtio_pci_vector(p, v); }
static u64 get_queues(P *p) { return p->v->queues; }
static u64 get_status(P *p) { return p->v->status; }
static void set_status(P *p, u32 v) { virtio_set_status(p->v, v); }
static u64 get_generation(P *p) { return p->v->generation; }
static u64 get_queue_select(P *p) { return p->queue_select; }
static void set_queue_select(P *p, u32 v) { p->queue_select = v; }

/* --- the selected queue; there may be none --- */

static u64 get_size(P *p)
{
    const struct virtqueue *q = virtio_pci_selected(p);
    return q ? q->size : 0;
}
static u64 get_vector(P *p) { return virtio_pci_selected(p) ? p->queue_vector[p->queue_select] : VIRTIO_NO_VECTOR; }
static u64 get_enable(P *p)
{
    const struct virtqueue *q = virtio_pci_selected(p);
    return q && q->enabled;
}
static u64 get_notify_off(P *p) { return p->queue_select; }

/* A queue that is in use stays as it is. */
static struct virtqueue *to_be_set(P *p)
{
    struct virtqueue *q = virtio_pci_selected(p);
    return q && !q->enabled ? q : NULL;
}
static void set_size(P *p, u32 v)
{
    struct virtqueue *q = to_be_set(p);
    if (q)
        q->size = v;
}
static void set_vector(P *p, u32 v)
{
    if (virtio_pci_selected(p))
        p->queue_vector[p->queue_select] = virtio_pci_vector(p, v);
}
static void set_enable(P *p, u32 v)
{
    struct virtqueue *q = to_be_set(p);
    if (q && v == 1)
        virtio_enable_queue(p->v, q);
}

/* Half of one of the queue's three addresses. */
static void set_half(gpa_t *to, bool high, u32 v) { *to = high ? (u32)*to | (u64)v << 32 : (*to & ~(u64)0xffffffff) | v; }
#define ADDRESS(name) \
    static u64 get_##name(P *p) { const struct virtqueue *q = virtio_pci_selected(p); return q ? q->name : 0; } \
    static void set_##name##_low(P *p, u32 v) { struct virtqueue *q = to_be_set(p); if (q) set_half(&q->name, false, v); } \
    static void set_##name##_high(P *p, u32 v) { struct virtqueue *q = to_be_set(p); if (q) set_half(&q->name, true, v); } \
    static u64 get_##name##_high(P *p) { return get_##name(p) >> 32; }
ADDRESS(desc)
ADDRESS(driver)
ADDRESS(device)

static const struct field { u8 at, size; const char *name; u64 (*get)(P *p); void (*set)(P *p, u32 v); } fields[] = {
    { 0, 4, "device-feature-select", get_device_select, set_device_select },
    { 4, 4, "device-feature", get_device_features, NULL },
    { 8, 4, "driver-feature-select", get_driver_select, set_driver_select },
    { 12, 4, "driver-feature", get_driver_features, set_driver_features },
    { 16, 2, "config-vector", get_config_vector, set_config_vector },
    { 18, 2, "num-queues", get_queues, NULL },
    { 20, 1, "status", get_status, set_status },
    { 21, 1, "config-generation", get_generation, NULL },
    { 22, 2, "queue-select", get_queue_select, set_queue_select },
    { 24, 2, "queue-size", get_size, set_size },
    { 26, 2, "queue-vector", get_vector, set_vector },
    { 28, 2, "queue-enable", get_enable, set_enable },
    { 30, 2, "queue-notify-off", get_notify_off, NULL },
    { 32, 4, "queue-desc", get_desc, set_desc_low },
    { 36, 4, "queue-desc-high", get_desc_high, set_desc_high },
    { 40, 4, "queue-driver", get_driver, set_driver_low },
    { 44, 4, "queue-driver-high", get_driver_high, set_driver_high },
    { 48, 4, "queue-device", get_device, set_device_low },
    { 52, 4, "queue-device-high", get_device_high, set_device_high },
};

static const struct field *field_at(u64 offset)
{
    for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
        if (offset - fields[i].at < fields[i].size)
            return &fields[i];
    return NULL;
}

u8 virtio_pci_common_read(P *p, u64 offset)
{
    const struct field *f = field_at(offset);
    return f ? f->get(p) >> 8 * (offset - f->at) : 0;
}

void virtio_pci_common_write(P *p, u64 offset, unsigned size, u32 value)
{
    const struct field *f = field_at(offset);
    if (f && f->set && f->at == offset && f->size == size)
        f->set(p, value);
}

const char *virtio_pci_common_name(u64 offset)
{
    const struct field *f = field_at(offset);
    return f ? f->name : NULL;
}
