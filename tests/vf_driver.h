/* SPDX-License-Identifier: MIT */
/*
 * A machine whose guest has functions of a modelled host, and a driver for a virtual function, as small as one can be. Several machines may
 * share a host.
 */
#ifndef EMU_TESTS_VF_DRIVER_H
#define EMU_TESTS_VF_DRIVER_H

#include "base/ledger.h"
#include "check.h"
#include "devices/net/net.h"
#include "devices/pci/pci.h"
#include "devices/vfio/vfio.h"
#include "devices/vfio/vfio_dma.h"
#include "devices_rig.h"

enum { VF_RAM = 4 << 20, VF_BAR_AT = 0xfe000000, VF_STEP = 0x100000, VF_TX = 0x10000, VF_RX = 0x20000, VF_BUFFERS = 0x100000, VF_DATA = 0x200000, VF_RING = 64 };

struct vf_rig {
    struct rig r;
    struct ledger ledger;
    struct net_wire *wire;
    bool posting;
    unsigned host_interrupts;
    u32 made, given, got;           /* descriptors */
    u32 bar;                        /* of the function that the helpers talk to */
    u8 mac[6];
    u8 frame[2048];                 /* the last that came to the wire's other end */
    u32 frame_len, frames;
};

static inline void vf_came(void *opaque, const u8 *frame, u32 len)
{
    struct vf_rig *v = opaque;
    v->frames++;
    v->frame_len = len < sizeof v->frame ? len : sizeof v->frame;
    memcpy(v->frame, frame, v->frame_len);
}

static inline void vf_host_interrupt(void *machine) { ((struct vf_rig *)machine)->host_interrupts++; }

static inline void vf_config_put(struct vf_rig *v, unsigned slot, u8 reg, unsigned size, u32 value)
{
    out32(&v->r, 0xcf8, 0x80000000 | slot << 11 | (reg & 0xfc));
    bus_io_write(&v->r.bus, 0xcfc + (reg & 3), size, value);
}

/* A machine of 4 MiB with the host's functions, by their places; in slots 16 and further. */
static inline void vf_init(struct vf_rig *v, struct vfio_host *h, const char *const *places, unsigned n)
{
    struct rig *r = &v->r;
    memset(v, 0, sizeof *v);
    rig_init(r, 1000000000);
    physmap_fini(&r->map);
    bus_fini(&r->bus);
    if (physmap_init(&r->map, VF_RAM, &r->err))
        abort();
    bus_init(&r->bus, &r->map, &r->tracer);
    physmap_add_ram(&r->map, "ram", 0, VF_RAM, &r->err);
    v->ledger.clock = &r->clock;
    v->ledger.cost[EV_DMA] = 50;
    v->ledger.cost[EV_DMA_REMAPPED] = 70;
    v->ledger.cost[EV_IOMMU_WALK] = 80;
    v->wire = net_new("wire", &r->clock);
    net_attach(v->wire, NET_BACKEND, &(struct net_end){ .receive = vf_came, .opaque = v });
    v->posting = true;
    r->platform.ledger = &v->ledger;
    r->platform.posting = &v->posting;
    r->platform.machine = v;
    r->platform.request = NULL;
    r->platform.host_interrupt = vf_host_interrupt;
    r->platform.vfio_host = h;
    for (unsigned i = 0; i < n; i++) {
        u8 bus, devfn;
        struct host_device *d = vfio_parse_address(places[i], &bus, &devfn, &r->err) ? NULL : vfio_host_find(h, bus, devfn, &r->err);
        CHECK(d);
        r->platform.vfio[r->platform.nvfio++] = (struct vfio_slot){ .device = d, .wire = v->wire };
    }
}

/* Firmware's part. */
static inline void vf_power_on(struct vf_rig *v)
{
    struct pci_bus *b = pci_host_bus(rig_add(&v->r, &pci_host_ops));
    for (unsigned i = 0; i < 4; i++)
        b->pirq[i] = (struct irq){ rig_wire, &v->r, 10 + i };
    rig_add(&v->r, &vfio_set_ops);
    for (unsigned i = 0; i < v->r.platform.nvfio; i++) {
        vf_config_put(v, 16 + i, PCI_BAR0, 4, VF_BAR_AT + i * VF_STEP);
        vf_config_put(v, 16 + i, PCI_BAR0 + 12, 4, VF_BAR_AT + i * VF_STEP + IGB_VF_SPACE);
        vf_config_put(v, 16 + i, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }
    v->bar = VF_BAR_AT;
}

static inline void vf_fini(struct vf_rig *v)
{
    rig_drop_devices(&v->r);
    net_free(v->wire);
    rig_fini(&v->r);
}

/* --- registers and memory --- */

static inline u32 vf_get(struct vf_rig *v, u32 offset) { return physmap_load(&v->r.map, v->bar + offset, 4); }
static inline void vf_put(struct vf_rig *v, u32 offset, u32 value) { physmap_store(&v->r.map, v->bar + offset, 4, value); }
static inline u64 vf_peek(struct vf_rig *v, gpa_t gpa, unsigned size) { return physmap_load(&v->r.map, gpa, size); }
static inline void vf_poke(struct vf_rig *v, gpa_t gpa, unsigned size, u64 value) { physmap_store(&v->r.map, gpa, size, value); }
static inline void vf_wait(struct vf_rig *v) { rig_run(&v->r, 1000000); }  /* a millisecond: everything is done */

/* --- the mailbox --- */

/* Send a message; the answer's first word, with the rest in the mailbox. */
static inline u32 vf_ask(struct vf_rig *v, const u32 *msg, unsigned words)
{
    vf_put(v, VF_MAILBOX, MAILBOX_VFU);
    for (unsigned i = 0; i < words; i++)
        vf_put(v, VF_MBMEM + 4 * i, msg[i]);
    vf_put(v, VF_MAILBOX, MAILBOX_REQ);
    vf_wait(v);
    u32 bits = vf_get(v, VF_MAILBOX), answer = vf_get(v, VF_MBMEM);
    vf_put(v, VF_MAILBOX, MAILBOX_ACK);
    return bits & MAILBOX_PFSTS ? answer : 0;
}

/* --- rings --- */

static inline void vf_buffer(struct vf_rig *v, u32 n)
{
    gpa_t at = VF_RX + n % VF_RING * IGB_DESCRIPTOR;
    vf_poke(v, at, 8, VF_BUFFERS + n % VF_RING * 2048);
    vf_poke(v, at + 8, 8, 0);
}

/* Reset, address, both rings with all their buffers, all interrupts. */
static inline void vf_open(struct vf_rig *v)
{
    vf_put(v, VF_CTRL, IGB_CTRL_RST);
    CHECK(vf_get(v, VF_MAILBOX) & MAILBOX_RSTD);
    CHECK_EQ(vf_ask(v, (u32[]){ MSG_VF_RESET }, 1), MSG_VF_RESET | MSG_ACK);
    u32 mac[2] = { vf_get(v, VF_MBMEM + 4), vf_get(v, VF_MBMEM + 8) };
    memcpy(v->mac, mac, 6);
    vf_put(v, VF_TX_QUEUE + Q_BAL, VF_TX);
    vf_put(v, VF_TX_QUEUE + Q_LEN, VF_RING * IGB_DESCRIPTOR);
    vf_put(v, VF_TX_QUEUE + Q_DCTL, IGB_DCTL_ENABLE);
    vf_put(v, VF_RX_QUEUE + Q_BAL, VF_RX);
    vf_put(v, VF_RX_QUEUE + Q_LEN, VF_RING * IGB_DESCRIPTOR);
    vf_put(v, VF_RX_QUEUE + Q_SRRCTL, IGB_SRRCTL_ONE_BUFFER | 2);
    vf_put(v, VF_RX_QUEUE + Q_DCTL, IGB_DCTL_ENABLE);
    for (u32 n = 0; n < VF_RING - 1; n++)
        vf_buffer(v, n);
    vf_put(v, VF_RX_QUEUE + Q_TAIL, VF_RING - 1);
    vf_put(v, VF_IVAR, IGB_IVAR_VALID | (IGB_IVAR_VALID | 1) << 8);
    vf_put(v, VF_IVAR_MISC, IGB_IVAR_VALID | 2);
    vf_put(v, VF_EIAC, 7);
    vf_put(v, VF_EIMS, 7);
    v->made = v->got = 0;
    for (unsigned n = 0; n < IGB_VF_VECTORS; n++)
        physmap_store(&v->r.map, v->bar + IGB_VF_SPACE + 16 * n + 12, 4, 0);
    vf_config_put(v, 16 + (v->bar - VF_BAR_AT) / VF_STEP, 0x72, 2, 0x8000);
}

/* Put a descriptor in the transmit ring for `len` bytes at that device address, and ring. */
static inline void vf_give(struct vf_rig *v, u64 address, u32 len)
{
    gpa_t at = VF_TX + v->made++ % VF_RING * IGB_DESCRIPTOR;
    vf_poke(v, at, 8, address);
    vf_poke(v, at + 8, 4, len | TXD_DATA | TXD_DEXT | TXD_EOP | TXD_RS);
    vf_poke(v, at + 12, 4, len << TXD_PAYLEN_SHIFT);
    vf_put(v, VF_TX_QUEUE + Q_TAIL, v->made % VF_RING);
}

/* A frame to that address, from the VF's own. */
static inline void vf_send(struct vf_rig *v, const u8 to[6], u32 len, u8 fill)
{
    u8 frame[1514];
    memset(frame, fill, sizeof frame);
    memcpy(frame, to, 6);
    memcpy(frame + 6, v->mac, 6);
    frame[12] = 0x88, frame[13] = 0xb5;
    physmap_write(&v->r.map, VF_DATA, frame, len);
    vf_give(v, VF_DATA, len);
}

/* Bytes of the next frame that has come, or 0; *data is where it is. */
static inline u32 vf_take(struct vf_rig *v, gpa_t *data)
{
    gpa_t at = VF_RX + v->got % VF_RING * IGB_DESCRIPTOR;
    if (!(vf_peek(v, at + 8, 4) & RXD_DD) || v->got % VF_RING == vf_get(v, VF_RX_QUEUE + Q_HEAD))
        return 0;
    *data = VF_BUFFERS + v->got++ % VF_RING * 2048;
    return vf_peek(v, at + 12, 2);
}

#endif
