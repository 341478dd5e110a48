/* SPDX-License-Identifier: MIT */
/* A virtio device as a PCI function (virtio 1.2, 4.1): its capabilities, the areas that they point to, and its interrupts. */
#include "devices/virtio/virtio_pci.h"

#include <stdlib.h>
#include <string.h>

enum { VENDOR = 0x1af4, TRANSITIONAL_FROM = 0x1000, MODERN_FROM = 0x1040, MODERN_SUBSYSTEM = 0x1100 };
enum { BAR_LEGACY = VIRTIO_PCI_BAR_LEGACY, BAR_MSIX = 1, BAR_MODERN = VIRTIO_PCI_BAR_MODERN };
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* The modern interface: an area a page. */
enum area { AREA_COMMON, AREA_ISR, AREA_DEVICE, AREA_NOTIFY, AREAS };
#define MODERN_SIZE (AREAS * PAGE_SIZE)
enum { NOTIFY_STEP = VIRTIO_PCI_NOTIFY_STEP };      /* bytes from a queue's doorbell to the next one's */
_Static_assert(AREA_NOTIFY * PAGE_SIZE == VIRTIO_PCI_NOTIFY_AT, "one place of the doorbells");

/* A vendor capability (4.1.4): what, in which BAR, where, how long. */
enum { CAP_VENDOR = 0x09, CAP_LEN = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_EXTRA = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4, TYPE_WINDOW = 5 };
enum { AT_COMMON = 0x40, AT_ISR = 0x50, AT_DEVICE = 0x60, AT_NOTIFY = 0x70, AT_WINDOW = 0x84, AT_MSIX = 0x98 };

/* --- interrupts: by message, or by the pin and the ISR --- */

static void update_pin(struct virtio_pci *p)
{
    bool off = pci_get(p->function.config, PCI_COMMAND, 2) & PCI_COMMAND_INTX_OFF || pci_msix_enabled(&p->msix);
    pci_set_intx(&p->function, p->isr && !off);
}

static void interrupt(struct virtio_pci *p, u8 isr, u16 vector)
{
    if (pci_msix_enabled(&p->msix)) {
        if (vector != VIRTIO_NO_VECTOR)
            pci_msix_send(&p->msix, vector);
        return;
    }
    p->isr |= isr;
    update_pin(p);
}

static void queue_interrupt(void *port, unsigned queue)
{
    struct virtio_pci *p = port;
    interrupt(p, ISR_QUEUE, p->queue_vector[queue]);
}

static void config_interrupt(void *port)
{
    struct virtio_pci *p = port;
    interrupt(p, ISR_CONFIG, p->config_vector);
}

u8 virtio_pci_take_isr(struct virtio_pci *p)
{
    u8 isr = p->isr;
    p->isr = 0;
    update_pin(p);
    return isr;
}

u16 virtio_pci_vector(const struct virtio_pci *p, u16 vector) { return vector < p->msix.vectors ? vector : VIRTIO_NO_VECTOR; }

/* --- memory --- */

static u8 *memory(void *port, gpa_t gpa, u64 len, bool write) { return pci_dma_ptr(&((struct virtio_pci *)port)->function, gpa, len, write); }
static void written(void *port, gpa_t gpa, u64 len) { pci_dma_written(&((struct virtio_pci *)port)->function, gpa, len); }

static void device_reset(void *port)
{
    struct virtio_pci *p = port;
    p->config_vector = VIRTIO_NO_VECTOR;
    for (unsigned n = 0; n < VIRTIO_QUEUES_MAX; n++)
        p->queue_vector[n] = VIRTIO_NO_VECTOR;
    virtio_select_reset(&p->select);
    p->isr = 0;
    update_pin(p);
}

static const struct virtio_transport transport = { memory, written, queue_interrupt, config_interrupt, device_reset };

/* --- the areas of the modern interface --- */

static u8 common_byte(struct virtio_pci *p, u64 offset) { return virtio_pci_common_read(p, offset); }
static u8 isr_byte(struct virtio_pci *p, u64 offset) { return offset ? 0 : virtio_pci_take_isr(p); }
static u8 device_byte(struct virtio_pci *p, u64 offset) { return virtio_config_read(p->v, offset); }
static u8 notify_byte(struct virtio_pci *p, u64 offset) { return 0; }

static void device_write(struct virtio_pci *p, u64 offset, unsigned size, u32 value) { virtio_config_write(p->v, offset, size, value); }
static void notify_write(struct virtio_pci *p, u64 offset, unsigned size, u32 value) { virtio_kick(p->v, offset / NOTIFY_STEP); }
static void no_write(struct virtio_pci *p, u64 offset, unsigned size, u32 value) { }

static const struct { u8 (*byte)(struct virtio_pci *p, u64 offset); void (*write)(struct virtio_pci *p, u64 offset, unsigned size, u32 value); } areas[AREAS] = {
    [AREA_COMMON] = { common_byte, virtio_pci_common_write },
    [AREA_ISR] = { isr_byte, no_write },
    [AREA_DEVICE] = { device_byte, device_write },
    [AREA_NOTIFY] = { notify_byte, notify_write },
};

static u64 modern_read(void *dev, u64 offset, unsigned size)
{
    u64 value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (u64)areas[offset / PAGE_SIZE].byte(dev, offset % PAGE_SIZE + i) << 8 * i;
    return value;
}

static void modern_write(void *dev, u64 offset, unsigned size, u64 value)
{
    areas[offset / PAGE_SIZE].write(dev, offset % PAGE_SIZE, size, value);
}

static const char *modern_name(u64 offset)
{
    static const char *const name[AREAS] = { NULL, "isr", "config", "notify" };
    return offset < PAGE_SIZE ? virtio_pci_common_name(offset) : name[offset / PAGE_SIZE];
}

/* The work is always some other thread's: of the emulator, or of the host's kernel. */
static bool modern_bell(const void *dev, u64 offset)
{
    const struct virtio_pci *p = dev;
    return offset / PAGE_SIZE == AREA_NOTIFY && !p->no_ioeventfd;
}

static const struct bus_ops modern_ops = { modern_read, modern_write, 1, 4, modern_name, modern_bell };

/* --- the window in configuration space, for who cannot reach BARs yet (4.1.4.9) --- */

/* What the window shows; its size, or 0: nothing. */
static unsigned window_at(const struct pci_function *f, u64 *offset)
{
    u32 size = pci_get(f->config, AT_WINDOW + CAP_LENGTH, 4);
    *offset = pci_get(f->config, AT_WINDOW + CAP_OFFSET, 4);
    bool right = (size == 1 || size == 2 || size == 4) && *offset % size == 0 && *offset < MODERN_SIZE;
    return right && f->config[AT_WINDOW + CAP_BAR] == BAR_MODERN ? size : 0;
}

static bool touches_window(u8 offset, unsigned size) { return offset < AT_WINDOW + CAP_EXTRA + 4 && offset + size > AT_WINDOW + CAP_EXTRA; }

static void config_reading(struct pci_function *f, u8 offset, unsigned size)
{
    u64 at;
    unsigned width = window_at(f, &at);
    if (width && touches_window(offset, size))
        pci_put(f->config, AT_WINDOW + CAP_EXTRA, 4, modern_read(f->dev, at, width));
}

static void config_written(struct pci_function *f, u8 offset, unsigned size)
{
    struct virtio_pci *p = f->dev;
    u64 at;
    unsigned width = window_at(f, &at);
    if (f->bar[BAR_MODERN].size && width && touches_window(offset, size))
        modern_write(p, at, width, pci_get(f->config, AT_WINDOW + CAP_EXTRA, 4) & (BIT(8 * width) - 1));
    pci_msix_written(&p->msix);
    update_pin(p);
    virtio_pci_place_bells(p);
}

static void clear_window(struct pci_function *f)
{
    f->config[AT_WINDOW + CAP_BAR] = BAR_MODERN;
    memset(f->config + AT_WINDOW + CAP_OFFSET, 0, CAP_EXTRA + 4 - CAP_OFFSET);
}

/* --- the function --- */

static void add_capability(struct pci_function *f, u8 at, u8 type, u8 len, unsigned area, u32 size)
{
    pci_add_capability(f, at, CAP_VENDOR);
    f->config[at + CAP_LEN] = len;
    f->config[at + CAP_TYPE] = type;
    f->config[at + CAP_BAR] = BAR_MODERN;
    pci_put(f->config, at + CAP_OFFSET, 4, area * PAGE_SIZE);
    pci_put(f->config, at + CAP_LENGTH, 4, size);
}

static void add_modern(struct virtio_pci *p)
{
    struct pci_function *f = &p->function;
    add_capability(f, AT_WINDOW, TYPE_WINDOW, 20, 0, 0);
    f->writable[AT_WINDOW + CAP_BAR] = 0xff;
    for (unsigned i = CAP_OFFSET; i < CAP_EXTRA + 4; i++)
        f->writable[AT_WINDOW + i] = 0xff;
    add_capability(f, AT_NOTIFY, TYPE_NOTIFY, 20, AREA_NOTIFY, NOTIFY_STEP * p->v->queues);
    pci_put(f->config, AT_NOTIFY + CAP_EXTRA, 4, NOTIFY_STEP);
    add_capability(f, AT_DEVICE, TYPE_DEVICE, 16, AREA_DEVICE, PAGE_SIZE);
    add_capability(f, AT_ISR, TYPE_ISR, 16, AREA_ISR, 1);
    add_capability(f, AT_COMMON, TYPE_COMMON, 16, AREA_COMMON, VIRTIO_PCI_COMMON_SIZE);
    pci_set_bar(f, BAR_MODERN, &(struct pci_bar){ .name = "virtio", .size = MODERN_SIZE, .ops = &modern_ops, .dev = p });
}

/* A transitional function is known by a device number of its own, and the subsystem says what it is (4.1.2.3). */
static void identify(struct virtio_pci *p, bool transitional)
{
    static const u8 transitional_number[] = { [VIRTIO_ID_NET] = 0, [VIRTIO_ID_BLOCK] = 1, [VIRTIO_ID_BALLOON] = 2, [VIRTIO_ID_CONSOLE] = 3, [VIRTIO_ID_RNG] = 5 };
    const struct virtio_ops *ops = p->v->ops;
    u16 device = transitional ? TRANSITIONAL_FROM + transitional_number[ops->id] : MODERN_FROM + ops->id;
    pci_identify(&p->function, VENDOR, device, ops->pci_class, transitional ? 0 : 1);
    pci_put(p->function.config, PCI_SUBSYSTEM_VENDOR, 4, (transitional ? ops->id : MODERN_SUBSYSTEM) << 16 | VENDOR);
    p->function.config[PCI_INTERRUPT_PIN] = 1;
}

static void make_function(struct virtio_pci *p, const struct virtio_flavor *flavor)
{
    struct pci_function *f = &p->function;
    f->dev = p;
    f->reading = flavor->no_modern ? NULL : config_reading;
    f->written = config_written;
    bool legacy = !flavor->no_legacy && p->v->ops->id <= VIRTIO_ID_BALLOON;      /* what is younger than 1.0 has no older interface */
    identify(p, legacy);
    pci_msix_add(&p->msix, f, AT_MSIX, BAR_MSIX, p->v->queues + 1);
    if (legacy)
        pci_set_bar(f, BAR_LEGACY, &(struct pci_bar){ .name = "virtio-legacy", .size = VIRTIO_PCI_LEGACY_PORTS, .io = true,
                                                     .ops = &virtio_pci_legacy_ops, .dev = p });
    if (!flavor->no_modern)
        add_modern(p);
    pci_put(f->writable, PCI_COMMAND, 2, pci_get(f->writable, PCI_COMMAND, 2) | PCI_COMMAND_INTX_OFF);
}

void virtio_pci_power_on(struct virtio_pci *p)
{
    pci_reset(&p->function);
    if (p->function.reading)
        clear_window(&p->function);
    pci_msix_reset(&p->msix);
    virtio_reset(p->v);
    virtio_pci_place_bells(p);
}

void virtio_pci_free(struct virtio_pci *p)
{
    if (!p)
        return;
    virtio_pci_take_bells(p);
    virtio_fini(p->v);
    free(p->v);
    free(p);
}

struct virtio_pci *virtio_pci_new(struct virtio *v, const struct virtio_flavor *flavor, struct shortcuts *shortcuts, struct error *err)
{
    struct virtio_pci *p = v ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        if (v)
            virtio_fini(v);
        free(v);
        error_set(err, "no memory for a virtio device");
        return NULL;
    }
    p->v = p->select.v = v;
    p->shortcuts = shortcuts;
    p->no_ioeventfd = flavor->no_ioeventfd;
    virtio_connect(v, &transport, p);
    make_function(p, flavor);
    return p;
}
