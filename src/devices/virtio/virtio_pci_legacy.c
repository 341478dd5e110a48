/* SPDX-License-Identifier: MIT */
/*
 * The legacy interface (virtio 1.2, 4.1.4.10): ports. The queue's size is the device's choice and its three parts lie one behind the
 * other from a page number on. Whoever writes here is a driver of before 1.0.
 */
#include "devices/virtio/virtio_pci.h"

enum { FEATURES = 0, DRIVER_FEATURES = 4, QUEUE_PAGE = 8, QUEUE_SIZE = 12, QUEUE_SELECT = 14, QUEUE_NOTIFY = VIRTIO_PCI_LEGACY_NOTIFY, STATUS = 18, ISR = 19,
       CONFIG_VECTOR = 20, QUEUE_VECTOR = 22, VECTORS_END = 24 };

/* The device's configuration begins where the vectors are not. */
static unsigned config_from(const struct virtio_pci *p) { return pci_msix_enabled(&p->msix) ? VECTORS_END : CONFIG_VECTOR; }

static gpa_t align_page(gpa_t at) { return (at + PAGE_SIZE - 1) & PAGE_MASK; }

/* 2.7.2: descriptors, available ring, and on the next page the used ring. Page 0 takes the queue away: as a driver leaves. */
static void set_page(struct virtio_pci *p, u32 page)
{
    struct virtqueue *q = virtio_selected(&p->select);
    if (!q)
        return;
    if (!page) {
        virtio_disable_queue(p->v, q);
        return;
    }
    if (q->enabled)
        return;
    q->desc = (gpa_t)page << PAGE_SHIFT;
    q->driver = q->desc + 16 * q->size;
    q->device = align_page(q->driver + 6 + 2 * q->size);
    virtio_enable_queue(p->v, q);
}

static u32 get_page(struct virtio_pci *p)
{
    const struct virtqueue *q = virtio_selected(&p->select);
    return q && q->enabled ? q->desc >> PAGE_SHIFT : 0;
}

static u32 get(struct virtio_pci *p, unsigned offset)
{
    const struct virtqueue *q = virtio_selected(&p->select);
    switch (offset) {
    case FEATURES: return p->v->offered;
    case DRIVER_FEATURES: return p->v->features;
    case QUEUE_PAGE: return get_page(p);
    case QUEUE_SIZE: return q ? q->size : 0;
    case QUEUE_SELECT: return p->select.queue;
    case STATUS: return p->v->status;
    case ISR: return virtio_pci_take_isr(p);
    case CONFIG_VECTOR: return p->config_vector;
    case QUEUE_VECTOR: return q ? p->queue_vector[p->select.queue] : VIRTIO_NO_VECTOR;
    default: return 0;
    }
}

static void put(struct virtio_pci *p, unsigned offset, u32 value)
{
    p->v->legacy |= !(p->v->status & VIRTIO_FEATURES_OK);
    switch (offset) {
    case DRIVER_FEATURES: virtio_take_features(p->v, false, value); break;
    case QUEUE_PAGE: set_page(p, value); break;
    case QUEUE_SELECT: p->select.queue = (u16)value; break;
    case QUEUE_NOTIFY: virtio_kick(p->v, (u16)value); break;
    case STATUS: virtio_set_status(p->v, value); break;
    case CONFIG_VECTOR: p->config_vector = virtio_pci_vector(p, value); break;
    case QUEUE_VECTOR:
        if (virtio_selected(&p->select))
            p->queue_vector[p->select.queue] = virtio_pci_vector(p, value);
        break;
    }
}

static u64 legacy_read(void *dev, u64 offset, unsigned size)
{
    struct virtio_pci *p = dev;
    unsigned from = config_from(p);
    u64 value = 0;
    if (offset < from)
        return get(p, offset) & (BIT(8 * size) - 1);
    for (unsigned i = 0; i < size; i++)
        value |= (u64)virtio_config_read(p->v, offset - from + i) << 8 * i;
    return value;
}

static void legacy_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct virtio_pci *p = dev;
    unsigned from = config_from(p);
    if (offset < from)
        put(p, offset, value);
    else
        virtio_config_write(p->v, offset - from, size, value);
}

static const char *legacy_name(u64 offset)
{
    static const char *const name[VECTORS_END] = {
        [FEATURES] = "features", [DRIVER_FEATURES] = "driver-features", [QUEUE_PAGE] = "queue-page", [QUEUE_SIZE] = "queue-size",
        [QUEUE_SELECT] = "queue-select", [QUEUE_NOTIFY] = "queue-notify", [STATUS] = "status", [ISR] = "isr",
        [CONFIG_VECTOR] = "config-vector", [QUEUE_VECTOR] = "queue-vector",
    };
    return offset < VECTORS_END ? name[offset] : "config";
}

const struct bus_ops virtio_pci_legacy_ops = { legacy_read, legacy_write, 1, 4, legacy_name };
