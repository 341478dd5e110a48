/* SPDX-License-Identifier: MIT */
#include "devices/virtio/virtio_mmio.h"

#include <stdlib.h>

enum { MAGIC = 0x74726976 /* "virt" */, VERSION = 2, VENDOR = 0x1af4 };
enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };
enum { QUEUE_NOTIFY = 0x50 };

typedef struct virtio_mmio M;

/* --- interrupts, and memory --- */

static void interrupt(M *m, u8 why)
{
    m->status |= why;
    irq_raise(&m->wire);
}

static void queue_interrupt(void *port, unsigned queue) { interrupt(port, INTERRUPT_QUEUE); }
static void config_interrupt(void *port) { interrupt(port, INTERRUPT_CONFIG); }

static void acknowledge(M *m, u32 what)
{
    m->status &= ~what;
    irq_set(&m->wire, m->status);
}

static u8 *memory(void *port, gpa_t gpa, u64 len, bool write)
{
    const struct physmap *map = ((M *)port)->bus->map;
    return write ? physmap_ptr(map, gpa, len) : (u8 *)physmap_ptr_ro(map, gpa, len);
}

static void written(void *port, gpa_t gpa, u64 len) { physmap_written(((M *)port)->bus->map, gpa, len); }

static void device_reset(void *port)
{
    M *m = port;
    virtio_select_reset(&m->select);
    acknowledge(m, ~0u);
}

static const struct virtio_transport transport = { memory, written, queue_interrupt, config_interrupt, device_reset };

/* --- the registers --- */

static u32 get_magic(M *m) { return MAGIC; }
static u32 get_version(M *m) { return VERSION; }
static u32 get_device_id(M *m) { return m->select.v->ops->id; }
static u32 get_vendor(M *m) { return VENDOR; }
static u32 get_device_features(M *m) { return virtio_select_offered(&m->select); }
static void set_device_select(M *m, u32 v) { m->select.device_features = v; }
static void set_driver_features(M *m, u32 v) { virtio_select_take(&m->select, v); }
static void set_driver_select(M *m, u32 v) { m->select.driver_features = v; }
static void set_queue_select(M *m, u32 v) { m->select.queue = v; }
static u32 get_queue_max(M *m) { return virtio_selected(&m->select) ? m->select.v->queue_size : 0; }
static void set_queue_size(M *m, u32 v) { virtio_select_set_size(&m->select, v); }
static u32 get_queue_ready(M *m) { return virtio_select_enabled(&m->select); }
static void set_queue_ready(M *m, u32 v)
{
    struct virtqueue *q = virtio_selected(&m->select);
    if (v == 1)
        virtio_select_enable(&m->select);
    else if (!v && q && q->enabled)
        virtio_disable_queue(m->select.v, q);
}
static void set_queue_notify(M *m, u32 v) { virtio_kick(m->select.v, (u16)v); }
static u32 get_interrupt_status(M *m) { return m->status; }
static void set_interrupt_ack(M *m, u32 v) { acknowledge(m, v); }
static u32 get_status(M *m) { return m->select.v->status; }
static void set_status(M *m, u32 v) { virtio_set_status(m->select.v, v); }
static u32 get_no_shared_memory(M *m) { return ~0u; }
static u32 get_generation(M *m) { return m->select.v->generation; }

#define ADDRESS(name, part) \
    static void set_##name(M *m, u32 v) { virtio_select_set_half(&m->select, part, false, v); } \
    static void set_##name##_high(M *m, u32 v) { virtio_select_set_half(&m->select, part, true, v); }
ADDRESS(desc, VIRTIO_DESC)
ADDRESS(driver, VIRTIO_DRIVER_AREA)
ADDRESS(device, VIRTIO_DEVICE_AREA)

/* 4.2.2. What has no get() reads as zero. */
static const struct field { const char *name; u32 (*get)(M *m); void (*set)(M *m, u32 v); } fields[VIRTIO_MMIO_CONFIG / 4] = {
    [0x000 / 4] = { "magic", get_magic, NULL },
    [0x004 / 4] = { "version", get_version, NULL },
    [0x008 / 4] = { "device-id", get_device_id, NULL },
    [0x00c / 4] = { "vendor-id", get_vendor, NULL },
    [0x010 / 4] = { "device-features", get_device_features, NULL },
    [0x014 / 4] = { "device-features-select", NULL, set_device_select },
    [0x020 / 4] = { "driver-features", NULL, set_driver_features },
    [0x024 / 4] = { "driver-features-select", NULL, set_driver_select },
    [0x030 / 4] = { "queue-select", NULL, set_queue_select },
    [0x034 / 4] = { "queue-size-max", get_queue_max, NULL },
    [0x038 / 4] = { "queue-size", NULL, set_queue_size },
    [0x044 / 4] = { "queue-ready", get_queue_ready, set_queue_ready },
    [QUEUE_NOTIFY / 4] = { "queue-notify", NULL, set_queue_notify },
    [0x060 / 4] = { "interrupt-status", get_interrupt_status, NULL },
    [0x064 / 4] = { "interrupt-ack", NULL, set_interrupt_ack },
    [0x070 / 4] = { "status", get_status, set_status },
    [0x080 / 4] = { "queue-desc", NULL, set_desc },
    [0x084 / 4] = { "queue-desc-high", NULL, set_desc_high },
    [0x090 / 4] = { "queue-driver", NULL, set_driver },
    [0x094 / 4] = { "queue-driver-high", NULL, set_driver_high },
    [0x0a0 / 4] = { "queue-device", NULL, set_device },
    [0x0a4 / 4] = { "queue-device-high", NULL, set_device_high },
    [0x0b0 / 4] = { "shared-memory-length", get_no_shared_memory, NULL },
    [0x0b4 / 4] = { "shared-memory-length-high", get_no_shared_memory, NULL },
    [0x0b8 / 4] = { "shared-memory-base", get_no_shared_memory, NULL },
    [0x0bc / 4] = { "shared-memory-base-high", get_no_shared_memory, NULL },
    [0x0fc / 4] = { "config-generation", get_generation, NULL },
};

/* --- on the bus --- */

static u64 read_config(M *m, u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (u64)virtio_config_read(m->select.v, offset + i) << 8 * i;
    return value;
}

/* A driver takes whole registers (4.2.2.2). Who reads a part gets it; who writes a part has written nothing. */
static u64 mmio_read(void *dev, u64 offset, unsigned size)
{
    if (offset >= VIRTIO_MMIO_CONFIG)
        return read_config(dev, offset - VIRTIO_MMIO_CONFIG, size);
    const struct field *f = &fields[offset / 4];
    return f->get ? f->get(dev) >> 8 * (offset % 4) & (BIT(8 * size) - 1) : 0;
}

static void mmio_write(void *dev, u64 offset, unsigned size, u64 value)
{
    M *m = dev;
    if (offset >= VIRTIO_MMIO_CONFIG)
        virtio_config_write(m->select.v, offset - VIRTIO_MMIO_CONFIG, size, value);
    else if (fields[offset / 4].set && size == 4)
        fields[offset / 4].set(m, value);
}

static const char *mmio_name(u64 offset) { return offset < VIRTIO_MMIO_CONFIG ? fields[offset / 4].name : "config"; }

/* The work is always some other thread's: of the emulator, or of the host's kernel. */
static bool mmio_bell(const void *dev, u64 offset) { return offset == QUEUE_NOTIFY && !((const M *)dev)->no_ioeventfd; }

static const struct bus_ops mmio_ops = { mmio_read, mmio_write, 1, 4, mmio_name, mmio_bell };

/* --- its life --- */

void virtio_mmio_free(M *m)
{
    if (!m)
        return;
    bus_remove_mmio(m->bus, m->gpa, VIRTIO_MMIO_LEN, m);
    virtio_fini(m->select.v);
    free(m->select.v);
    free(m);
}

static M *give_up(struct virtio *v, M *m)
{
    if (v)
        virtio_fini(v);
    free(v);
    free(m);
    return NULL;
}

M *virtio_mmio_new(struct virtio *v, const struct platform *to, gpa_t gpa, const struct irq *wire, bool no_ioeventfd, struct error *err)
{
    M *m = v ? calloc(1, sizeof *m) : NULL;
    if (!m) {
        error_set(err, "no memory for a virtio device");
        return give_up(v, m);
    }
    *m = (M){ .select.v = v, .bus = to->bus, .wire = *wire, .gpa = gpa, .no_ioeventfd = no_ioeventfd };
    virtio_connect(v, &transport, m);
    return bus_add_mmio(to->bus, "virtio-mmio", gpa, VIRTIO_MMIO_LEN, &mmio_ops, m, err) ? give_up(v, m) : m;
}
