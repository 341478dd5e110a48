/* SPDX-License-Identifier: MIT */
/* The common configuration of virtio's PCI transport (virtio 1.2, 4.1.4.3), a table of fields. */
#include "devices/virtio/virtio_pci.h"

#include <stddef.h>

typedef struct virtio_pci P;

/* --- the device --- */

static u64 get_device_select(P *p) { return p->select.device_features; }
static void set_device_select(P *p, u32 v) { p->select.device_features = v; }
static u64 get_device_features(P *p) { return virtio_select_offered(&p->select); }
static u64 get_driver_select(P *p) { return p->select.driver_features; }
static void set_driver_select(P *p, u32 v) { p->select.driver_features = v; }
static u64 get_driver_features(P *p) { return virtio_select_taken(&p->select); }
static void set_driver_features(P *p, u32 v) { virtio_select_take(&p->select, v); }
static u64 get_config_vector(P *p) { return p->config_vector; }
static void set_config_vector(P *p, u32 v) { p->config_vector = virtio_pci_vector(p, v); }
static u64 get_queues(P *p) { return p->v->queues; }
static u64 get_status(P *p) { return p->v->status; }
static void set_status(P *p, u32 v) { virtio_set_status(p->v, v); }
static u64 get_generation(P *p) { return p->v->generation; }
static u64 get_queue_select(P *p) { return p->select.queue; }
static void set_queue_select(P *p, u32 v) { p->select.queue = v; }

/* --- the selected queue; there may be none --- */

static u64 get_size(P *p) { return virtio_select_size(&p->select); }
static void set_size(P *p, u32 v) { virtio_select_set_size(&p->select, v); }
static u64 get_vector(P *p) { return virtio_selected(&p->select) ? p->queue_vector[p->select.queue] : VIRTIO_NO_VECTOR; }
static void set_vector(P *p, u32 v)
{
    if (virtio_selected(&p->select))
        p->queue_vector[p->select.queue] = virtio_pci_vector(p, v);
}
static u64 get_enable(P *p) { return virtio_select_enabled(&p->select); }
static void set_enable(P *p, u32 v)
{
    if (v == 1)
        virtio_select_enable(&p->select);
}
static u64 get_notify_off(P *p) { return p->select.queue; }

#define ADDRESS(name, part) \
    static u64 get_##name(P *p) { return virtio_select_half(&p->select, part, false); } \
    static u64 get_##name##_high(P *p) { return virtio_select_half(&p->select, part, true); } \
    static void set_##name##_low(P *p, u32 v) { virtio_select_set_half(&p->select, part, false, v); } \
    static void set_##name##_high(P *p, u32 v) { virtio_select_set_half(&p->select, part, true, v); }
ADDRESS(desc, VIRTIO_DESC)
ADDRESS(driver, VIRTIO_DRIVER_AREA)
ADDRESS(device, VIRTIO_DEVICE_AREA)

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
