/* SPDX-License-Identifier: MIT */
/*
 * A machine with one virtio device and a driver for it, as small as one can be: it negotiates, lays out queues in memory and exchanges
 * chains, by split or packed rings, over PCI or MMIO. Tests look at, and spoil, whatever lies in memory.
 */
#ifndef EMU_TESTS_VIRTIO_DRIVER_H
#define EMU_TESTS_VIRTIO_DRIVER_H

#include "check.h"
#include "devices/pci/pci.h"
#include "devices/virtio/virtio.h"
#include "devices_rig.h"

enum { VD_RAM = 4 << 20, VD_BAR = 0xfe000000, VD_PORTS = 0xc000, VD_SLOT = 3 << 3, VD_RINGS = 0x10000, VD_RING_STEP = 0x4000, VD_QUEUES = 8, VD_DATA = 0x100000 };
enum { VD_ISR = 0x1000, VD_CONFIG = 0x2000, VD_NOTIFY = 0x3000 };
enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

/* Where the two transports have the same registers; sizes of those that are not 4 bytes over PCI. */
struct vd_registers { u32 base, offer_select, offer, take_select, take, status, select, size, enable, desc, driver, device; bool narrow; };
static const struct vd_registers vd_pci __attribute__((unused)) = { VD_BAR, 0, 4, 8, 12, 20, 22, 24, 28, 32, 40, 48, true },
    vd_mmio __attribute__((unused)) = { 0xd0000000, 0x14, 0x10, 0x24, 0x20, 0x70, 0x30, 0x38, 0x44, 0x80, 0x90, 0xa0, false };
enum { VD_MMIO_IRQ = 5, VD_MMIO_NOTIFY = 0x50, VD_MMIO_STATUS = 0x60, VD_MMIO_ACK = 0x64, VD_MMIO_CONFIG = 0x100 };

/* A piece of a chain. */
struct vd_piece { u64 gpa; u32 len; bool write; };

struct vd_queue { u16 size; gpa_t desc, driver, device; u16 avail, used; bool avail_wrap, used_wrap; };

struct vd {
    struct rig r;
    const struct vd_registers *at;
    bool packed, indirect;
    struct vd_queue q[VD_QUEUES];
    gpa_t tables;                   /* where the next indirect table goes */
};

static inline u32 vd_get(struct vd *d, unsigned at, unsigned size) { return physmap_load(&d->r.map, d->at->base + at, size); }
static inline void vd_put(struct vd *d, unsigned at, unsigned size, u32 v) { physmap_store(&d->r.map, d->at->base + at, size, v); }
static inline u64 vd_peek(struct vd *d, gpa_t gpa, unsigned size) { return physmap_load(&d->r.map, gpa, size); }
static inline void vd_poke(struct vd *d, gpa_t gpa, unsigned size, u64 v) { physmap_store(&d->r.map, gpa, size, v); }
static inline u8 vd_status(struct vd *d) { return vd_get(d, d->at->status, d->at->narrow ? 1 : 4); }
static inline void vd_set_status(struct vd *d, u8 v) { vd_put(d, d->at->status, d->at->narrow ? 1 : 4, v); }
static inline bool vd_pin(struct vd *d) { return d->r.level[10] || d->r.level[11] || d->r.level[12] || d->r.level[13]; }
static inline void vd_kick(struct vd *d, unsigned q)
{
    if (d->at == &vd_pci)
        vd_put(d, VD_NOTIFY + 4 * q, 2, q);
    else
        vd_put(d, VD_MMIO_NOTIFY, 4, q);
}
static inline void vd_wait(struct vd *d) { rig_run(&d->r, 1000000); }      /* a millisecond: everything is done */

static inline u32 vd_config_get(struct vd *d, u8 reg, unsigned size)
{
    out32(&d->r, 0xcf8, 0x80000000 | VD_SLOT << 8 | (reg & 0xfc));
    return bus_io_read(&d->r.bus, 0xcfc + (reg & 3), size);
}
static inline void vd_config_put(struct vd *d, u8 reg, unsigned size, u32 v)
{
    out32(&d->r, 0xcf8, 0x80000000 | VD_SLOT << 8 | (reg & 0xfc));
    bus_io_write(&d->r.bus, 0xcfc + (reg & 3), size, v);
}

/* The machine is there; what the platform shall have is set between this and vd_power_on(). */
static inline void vd_init(struct vd *d)
{
    memset(d, 0, sizeof *d);
    d->at = &vd_pci;
    rig_init(&d->r, 1000000000);
    physmap_fini(&d->r.map);
    bus_fini(&d->r.bus);
    if (physmap_init(&d->r.map, VD_RAM, &d->r.err))
        abort();
    bus_init(&d->r.bus, &d->r.map, &d->r.tracer);
    physmap_add_ram(&d->r.map, "ram", 0, VD_RAM, &d->r.err);
}

/* Firmware's part: places, bus mastering. */
static inline void vd_power_on(struct vd *d)
{
    struct pci_bus *b = pci_host_bus(rig_add(&d->r, &pci_host_ops));
    for (unsigned i = 0; i < 4; i++)
        b->pirq[i] = (struct irq){ rig_wire, &d->r, 10 + i };
    rig_add(&d->r, &virtio_set_ops);
    vd_config_put(d, PCI_BAR0, 4, VD_PORTS);
    vd_config_put(d, PCI_BAR0 + 4, 4, VD_BAR + 0x10000);
    vd_config_put(d, PCI_BAR0 + 16, 4, VD_BAR);
    vd_config_put(d, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* A machine without PCI. */
static inline void vd_power_on_mmio(struct vd *d)
{
    d->at = &vd_mmio;
    rig_add(&d->r, &virtio_set_ops);
}

/* --- negotiation --- */

static inline u64 vd_offered(struct vd *d)
{
    u64 f = 0;
    for (unsigned i = 0; i < 2; i++) {
        vd_put(d, d->at->offer_select, 4, i);
        f |= (u64)vd_get(d, d->at->offer, 4) << 32 * i;
    }
    return f;
}

static inline bool vd_negotiate(struct vd *d, u64 features)
{
    vd_set_status(d, 0);
    vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    for (unsigned i = 0; i < 2; i++) {
        vd_put(d, d->at->take_select, 4, i);
        vd_put(d, d->at->take, 4, features >> 32 * i);
    }
    vd_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    d->packed = features & VIRTIO_F_RING_PACKED;
    d->indirect = features & VIRTIO_F_INDIRECT_DESC;
    d->tables = VD_RINGS + VD_QUEUES * VD_RING_STEP;
    return vd_status(d) & VIRTIO_FEATURES_OK;
}

static inline void vd_put64(struct vd *d, unsigned at, u64 v)
{
    vd_put(d, at, 4, v);
    vd_put(d, at + 4, 4, v >> 32);
}

static inline void vd_queue(struct vd *d, unsigned n, u16 size)
{
    gpa_t at = VD_RINGS + n * VD_RING_STEP;
    struct vd_queue *q = &d->q[n];
    *q = (struct vd_queue){ size, at, at + 0x1000, at + 0x2000, .avail_wrap = true, .used_wrap = true };
    for (unsigned i = 0; i < VD_RING_STEP; i += 8)
        vd_poke(d, at + i, 8, 0);
    vd_put(d, d->at->select, d->at->narrow ? 2 : 4, n);
    vd_put(d, d->at->size, d->at->narrow ? 2 : 4, size);
    vd_put64(d, d->at->desc, q->desc);
    vd_put64(d, d->at->driver, q->driver);
    vd_put64(d, d->at->device, q->device);
    vd_put(d, d->at->enable, d->at->narrow ? 2 : 4, 1);
}

static inline void vd_go(struct vd *d) { vd_set_status(d, vd_status(d) | VIRTIO_DRIVER_OK); }

/* --- chains --- */

static inline void vd_descriptor(struct vd *d, gpa_t at, u64 gpa, u32 len, u16 third, u16 fourth)
{
    vd_poke(d, at, 8, gpa);
    vd_poke(d, at + 8, 4, len);
    vd_poke(d, at + 12, 2, third);
    vd_poke(d, at + 14, 2, fourth);
}

static inline u16 vd_packed_flags(const struct vd_queue *q) { return q->avail_wrap ? 1 << 7 : 1 << 15; }

/* Flags of the head come last in a packed ring; here nobody looks in between. */
static inline void vd_packed_add(struct vd *d, struct vd_queue *q, u64 gpa, u32 len, u16 flags)
{
    vd_descriptor(d, q->desc + 16 * q->avail, gpa, len, 7, flags | vd_packed_flags(q));
    if (++q->avail == q->size) {
        q->avail = 0;
        q->avail_wrap = !q->avail_wrap;
    }
}

static inline gpa_t vd_table(struct vd *d, const struct vd_piece *p, unsigned n)
{
    gpa_t at = d->tables;
    for (unsigned i = 0; i < n; i++) {
        u16 flags = p[i].write ? D_WRITE : 0, more = i + 1 < n ? D_NEXT : 0;
        if (d->packed)
            vd_descriptor(d, at + 16 * i, p[i].gpa, p[i].len, 0, flags);
        else
            vd_descriptor(d, at + 16 * i, p[i].gpa, p[i].len, flags | more, i + 1);
    }
    d->tables += 16 * n;
    return at;
}

static inline void vd_add_packed(struct vd *d, struct vd_queue *q, const struct vd_piece *p, unsigned n)
{
    if (d->indirect)
        vd_packed_add(d, q, vd_table(d, p, n), 16 * n, D_INDIRECT);
    for (unsigned i = 0; i < n && !d->indirect; i++)
        vd_packed_add(d, q, p[i].gpa, p[i].len, (p[i].write ? D_WRITE : 0) | (i + 1 < n ? D_NEXT : 0));
}

/* Descriptors from the place of the available index on: enough for a few chains at once. */
static inline void vd_add_split(struct vd *d, struct vd_queue *q, const struct vd_piece *p, unsigned n)
{
    u16 head = q->avail * (d->indirect ? 1 : 3) % q->size;
    if (d->indirect)
        vd_descriptor(d, q->desc + 16 * head, vd_table(d, p, n), 16 * n, D_INDIRECT, 0);
    for (unsigned i = 0; i < n && !d->indirect; i++)
        vd_descriptor(d, q->desc + 16 * ((head + i) % q->size), p[i].gpa, p[i].len, (p[i].write ? D_WRITE : 0) | (i + 1 < n ? D_NEXT : 0),
                      (head + i + 1) % q->size);
    vd_poke(d, q->driver + 4 + 2 * (q->avail % q->size), 2, head);
    vd_poke(d, q->driver + 2, 2, ++q->avail);
}

static inline void vd_add(struct vd *d, unsigned n, const struct vd_piece *p, unsigned pieces)
{
    (d->packed ? vd_add_packed : vd_add_split)(d, &d->q[n], p, pieces);
}

/* The next chain that came back: its bytes written; -1: none has. `slots`: descriptors that it had in the ring. */
static inline s64 vd_used(struct vd *d, unsigned n, unsigned slots)
{
    struct vd_queue *q = &d->q[n];
    if (!d->packed) {
        if ((u16)vd_peek(d, q->device + 2, 2) == q->used)
            return -1;
        return vd_peek(d, q->device + 4 + 8 * (q->used++ % q->size) + 4, 4);
    }
    u16 flags = vd_peek(d, q->desc + 16 * q->used + 14, 2);
    if (!!(flags & 1 << 15) != q->used_wrap || !!(flags & 1 << 7) != q->used_wrap)
        return -1;
    s64 len = vd_peek(d, q->desc + 16 * q->used + 8, 4);
    q->used += d->indirect ? 1 : slots;
    if (q->used >= q->size) {
        q->used -= q->size;
        q->used_wrap = !q->used_wrap;
    }
    return len;
}

/* One chain there and back. */
static inline s64 vd_exchange(struct vd *d, unsigned n, const struct vd_piece *p, unsigned pieces)
{
    vd_add(d, n, p, pieces);
    vd_kick(d, n);
    vd_wait(d);
    return vd_used(d, n, pieces);
}

#endif
