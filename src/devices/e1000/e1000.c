/* SPDX-License-Identifier: MIT */
/*
 * The network adapters of the machine, all of them Intel 82540EM: PCI functions with the registers behind base address register 0,
 * and once more behind the pair of ports of register 1 (SDM 4.1, 13.2). One device of the machine holds them all.
 */
#include "devices/e1000/e1000.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOT = 3, IO_PORTS = 64, IO_ADDRESS = 0, IO_DATA = 4 };

struct e1000_set {
    struct device dev;
    struct e1000 *nic[NICS_MAX];    /* owned */
    unsigned count;
};

/* --- where the registers are seen --- */

static u64 memory_read(void *dev, u64 offset, unsigned size) { return e1000_read(dev, offset); }
static void memory_write(void *dev, u64 offset, unsigned size, u64 value) { e1000_write(dev, offset, value); }

static u64 port_read(void *dev, u64 offset, unsigned size)
{
    struct e1000 *e = dev;
    return offset == IO_ADDRESS ? e->io_address : offset == IO_DATA ? e1000_read(e, e->io_address) : 0;
}

static void port_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct e1000 *e = dev;
    if (offset == IO_ADDRESS)
        e->io_address = value & (E1000_SPACE - 1);
    else if (offset == IO_DATA)
        e1000_write(e, e->io_address, value);
}

static const char *port_name(u64 offset) { return offset == IO_ADDRESS ? "IOADDR" : offset == IO_DATA ? "IODATA" : NULL; }

static const struct bus_ops memory_ops = { memory_read, memory_write, 4, 4, e1000_reg_name };
static const struct bus_ops port_ops = { port_read, port_write, 4, 4, port_name };

/* --- the wire's side --- */

static bool end_ready(void *opaque)
{
    struct e1000 *e = opaque;
    return e->link && e1000_can_receive(e);
}
static void end_receive(void *opaque, const u8 *frame, u32 len) { e1000_receive(opaque, frame, len); }
static void end_room(void *opaque) { e1000_transmit(opaque); }
static void end_link(void *opaque, bool up) { e1000_phy_look(opaque); }

/* --- one adapter --- */

void e1000_reset(struct e1000 *e)
{
    e1000_tx_reset(e);
    e1000_rx_reset(e);
    e1000_irq_reset(e);
    e1000_regs_reset(e);
    e1000_eeprom_reset(e);
    e1000_phy_look(e);
    *e1000_reg(e, E1000_ICR) = 0;
}

static void power_on(struct e1000 *e)
{
    pci_reset(&e->function);
    e->io_address = 0;
    e1000_reset(e);
    e1000_phy_reset(e);
    *e1000_reg(e, E1000_ICR) = 0;
}

static void make_function(struct e1000 *e)
{
    struct pci_function *f = &e->function;
    struct pci_bar memory = { .name = "e1000", .size = E1000_SPACE, .ops = &memory_ops, .dev = e };
    struct pci_bar ports = { .name = "e1000-io", .size = IO_PORTS, .io = true, .ops = &port_ops, .dev = e };
    pci_identify(f, 0x8086, 0x100e, 0x020000, 0x03);
    pci_put(f->config, PCI_STATUS, 2, 0x0200);
    pci_put(f->config, PCI_SUBSYSTEM_VENDOR, 4, 0x001e8086);
    f->config[PCI_INTERRUPT_PIN] = 1;
    f->writable[0x0c] = f->writable[0x0d] = 0xff;   /* cache line size, latency timer */
    pci_set_bar(f, 0, &memory);
    pci_set_bar(f, 1, &ports);
    f->dev = e;
}

static struct e1000 *new_adapter(const struct platform *to, const struct nic *n)
{
    struct e1000 *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->clock = to->clock;
    e->wire = n->wire;
    memcpy(e->mac, n->mac, sizeof e->mac);
    make_function(e);
    e1000_regs_init(e);
    e1000_eeprom_init(e);
    e1000_phy_init(e);
    e1000_irq_init(e);
    e1000_tx_init(e);
    e1000_rx_init(e);
    if (e->wire)
        net_attach(e->wire, NET_NIC, &(struct net_end){ end_ready, end_receive, end_room, end_link, e });
    return e;
}

/* Its timers are stopped, and the wire is loose. */
static void free_adapter(struct e1000 *e)
{
    e1000_tx_reset(e);
    e1000_rx_reset(e);
    timer_cancel(e->clock, &e->throttle);
    timer_cancel(e->clock, &e->negotiation);
    if (e->wire)
        net_attach(e->wire, NET_NIC, NULL);
    free(e);
}

/* --- all of them --- */

static void set_reset(struct device *d)
{
    struct e1000_set *s = (struct e1000_set *)d;
    for (unsigned i = 0; i < s->count; i++)
        power_on(s->nic[i]);
}

static void set_destroy(struct device *d)
{
    struct e1000_set *s = (struct e1000_set *)d;
    while (s->count)
        free_adapter(s->nic[--s->count]);
    free(s);
}

static int add_adapter(struct e1000_set *s, struct platform *to, const struct nic *n, unsigned slot, struct error *err)
{
    struct e1000 *e = new_adapter(to, n);
    if (!e)
        return error_set(err, "-device e1000: no memory");
    s->nic[s->count++] = e;
    return pci_add(to->pci, n->slot ? n->slot : FIRST_SLOT + slot, 0, &e->function, err);
}

static struct device *set_create(struct platform *to, struct error *err)
{
    struct e1000_set *s = device_new(&e1000_ops, sizeof *s, err);
    for (unsigned i = 0; s && i < NICS_MAX; i++)
        if (to->nic[i].model == NIC_E1000 && add_adapter(s, to, &to->nic[i], i, err)) {
            set_destroy(&s->dev);
            return NULL;
        }
    if (s)
        set_reset(&s->dev);
    return s ? &s->dev : NULL;
}

static void set_info(const struct device *d, FILE *out)
{
    const struct e1000_set *s = (const struct e1000_set *)d;
    for (unsigned i = 0; i < s->count; i++) {
        const struct e1000 *e = s->nic[i];
        const u8 *m = e->mac;
        fprintf(out, "e1000 %u: %02x:%02x:%02x:%02x:%02x:%02x, wire %s, link %s, receive %u to %u of %u, transmit %u to %u of %u, causes %05x of %05x\n",
                i, m[0], m[1], m[2], m[3], m[4], m[5], e->wire ? e->wire->id : "none", e->link ? "up" : "down",
                e1000_get(e, E1000_RDH), e1000_get(e, E1000_RDT), e1000_get(e, E1000_RDLEN) / DESCRIPTOR,
                e1000_get(e, E1000_TDH), e1000_get(e, E1000_TDT), e1000_get(e, E1000_TDLEN) / DESCRIPTOR,
                e1000_get(e, E1000_ICR), e1000_get(e, E1000_IMS));
    }
}

const struct device_ops e1000_ops = {
    "e1000", "Intel 82540EM network adapters, as many as -device e1000 adds", set_create, set_reset, set_destroy, set_info,
};
