/* SPDX-License-Identifier: MIT */
/*
 * PCI Local Bus Specification 3.0, 3.2.2.3.2 (configuration mechanism 1); Intel 82441FX, order number 290549, for the
 * host bridge; 82371SB for CF9h. CF8h is a register only for accesses of four bytes, so that the byte at CF9h can be
 * another one.
 */
#include "devices/pci/pci.h"

#include <stdlib.h>
#include <string.h>

#include "devices/chipset/pam.h"

enum { ADDRESS_ENABLE = 1u << 31 };
enum { RESET_CPU = 0x04, RESET_WRITABLE = 0x06, RESET_OFFSET = 1 };

struct pci_host {
    struct device dev;
    struct platform to;
    struct pci_bus bus;
    u32 address;
    u8 reset_control;
    struct pci_function bridge;
    struct pam pam;
};

void pci_put(u8 *space, u8 offset, unsigned size, u32 value)
{
    for (unsigned i = 0; i < size; i++)
        space[(u8)(offset + i)] = value >> (8 * i);
}

u32 pci_get(const u8 *space, u8 offset, unsigned size)
{
    u32 value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (u32)space[(u8)(offset + i)] << (8 * i);
    return value;
}

void pci_identify(struct pci_function *f, u16 vendor, u16 device, u32 class_code, u8 revision)
{
    pci_put(f->config, PCI_VENDOR, 2, vendor);
    pci_put(f->config, PCI_DEVICE, 2, device);
    pci_put(f->config, PCI_REVISION, 1, revision);
    pci_put(f->config, PCI_CLASS, 3, class_code);
}

int pci_add(struct pci_bus *b, unsigned slot, unsigned func, struct pci_function *f, struct error *err)
{
    unsigned devfn = (slot << 3 | func) & 0xff;
    if (b->function[devfn])
        return error_set(err, "PCI place %02x.%x is taken", slot, func);
    b->function[devfn] = f;
    f->bus = b;
    f->devfn = devfn;
    return 0;
}

/* The function that the address register points to; NULL: none, or another bus. */
static struct pci_function *addressed(const struct pci_host *h)
{
    bool bus0 = !(h->address >> 16 & 0xff);
    return h->address & ADDRESS_ENABLE && bus0 ? h->bus.function[h->address >> 8 & 0xff] : NULL;
}

static u64 data_read(void *dev, u64 offset, unsigned size)
{
    struct pci_host *h = dev;
    struct pci_function *f = addressed(h);
    u8 at = (h->address & 0xfc) + offset;
    u64 value = 0;
    if (!f)
        return ~(u64)0;         /* master abort: nobody drives the bus */
    if (f->reading)
        f->reading(f, at, size);
    for (unsigned i = 0; i < size; i++)
        value |= (u64)f->config[(u8)(at + i)] << (8 * i);
    return value;
}

static void data_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct pci_host *h = dev;
    struct pci_function *f = addressed(h);
    u8 at = (h->address & 0xfc) + offset;
    if (!f)
        return;
    for (unsigned i = 0; i < size; i++) {
        u8 *byte = &f->config[(u8)(at + i)], mask = f->writable[(u8)(at + i)];
        *byte = (*byte & ~mask) | ((value >> (8 * i)) & mask);
    }
    bool bars = at < PCI_BAR0 + 4 * PCI_BARS && at + size > PCI_BAR0, rom = at < PCI_ROM_BAR + 4 && at + size > PCI_ROM_BAR;
    if (at <= PCI_COMMAND + 1 || bars || rom)
        pci_update_bars(f);
    if (f->written)
        f->written(f, at, size);
}

static u64 address_read(void *dev, u64 offset, unsigned size)
{
    struct pci_host *h = dev;
    if (size == 4)
        return h->address;
    return size == 1 && offset == RESET_OFFSET ? h->reset_control : ~(u64)0;
}

static void write_reset(struct pci_host *h, u8 value)
{
    bool resets = value & ~h->reset_control & RESET_CPU;
    h->reset_control = value & RESET_WRITABLE;
    if (resets)
        platform_ask(&h->to, REQUEST_RESET, 0);
}

static void address_write(void *dev, u64 offset, unsigned size, u64 value)
{
    struct pci_host *h = dev;
    if (size == 4)
        h->address = value & 0x80fffffc;
    else if (size == 1 && offset == RESET_OFFSET)
        write_reset(h, value);
}

static const char *address_reg(u64 offset) { return offset == RESET_OFFSET ? "reset-control" : "address"; }
static const char *data_reg(u64 offset) { return "data"; }
static const struct bus_ops address_port = { address_read, address_write, 1, 4, address_reg };
static const struct bus_ops data_port = { data_read, data_write, 1, 4, data_reg };

enum { PAM0 = 0x59, PAM_COUNT = 7 };

static void bridge_written(struct pci_function *f, u8 offset, unsigned size)
{
    struct pci_host *h = f->dev;
    if (offset < PAM0 + PAM_COUNT && offset + size > PAM0)
        pam_set(&h->pam, f->config + PAM0);
}

/* 82441FX: memory and bus master always on. The subsystem is the one by which SeaBIOS knows that it is on an emulated board. */
static void make_bridge(struct pci_function *f)
{
    memset(f->config, 0, sizeof f->config);
    memset(f->writable, 0, sizeof f->writable);
    pci_identify(f, 0x8086, 0x1237, 0x060000, 0x02);
    pci_put(f->config, PCI_SUBSYSTEM_VENDOR, 4, 0x11001af4);
    pci_put(f->config, PCI_COMMAND, 2, 0x0006);
    pci_put(f->config, PCI_STATUS, 2, 0x0280);
    pci_put(f->writable, PCI_COMMAND, 2, 0x0140);
    memset(f->writable + 0x50, 0xff, 0x93 - 0x50);
}

static void pci_host_reset(struct device *d)
{
    struct pci_host *h = (struct pci_host *)d;
    h->address = 0;
    h->reset_control = 0;
    make_bridge(&h->bridge);
    pam_set(&h->pam, h->bridge.config + PAM0);
}

static struct device *pci_host_create(struct platform *to, struct error *err)
{
    struct pci_host *h = device_new(&pci_host_ops, sizeof *h, err);
    if (!h)
        return NULL;
    h->to = *to;
    h->bus.bus = to->bus;
    h->bus.apic = to->apic;
    h->bridge.dev = h;
    h->bridge.written = bridge_written;
    pam_init(&h->pam, to->map, to->bios, to->bios_size);
    if (bus_add_ports(to->bus, "pci-address", 0xcf8, 4, &address_port, h, err) ||
        bus_add_ports(to->bus, "pci-data", 0xcfc, 4, &data_port, h, err) || pci_add(&h->bus, 0, 0, &h->bridge, err)) {
        free(h);
        return NULL;
    }
    pci_host_reset(&h->dev);
    to->pci = &h->bus;
    return &h->dev;
}

static void pci_host_destroy(struct device *d) { free(d); }

static void pci_host_info(const struct device *d, FILE *out)
{
    const struct pci_host *h = (const struct pci_host *)d;
    for (int devfn = 0; devfn < 256; devfn++) {
        const struct pci_function *f = h->bus.function[devfn];
        if (f)
            fprintf(out, "00:%02x.%x %02x%02x:%02x%02x class %02x%02x\n", devfn >> 3, devfn & 7,
                    f->config[1], f->config[0], f->config[3], f->config[2], f->config[11], f->config[10]);
    }
}

struct pci_bus *pci_host_bus(struct device *d)
{
    return &((struct pci_host *)d)->bus;
}

const struct device_ops pci_host_ops = {
    "pci", "PCI host bridge, configuration ports, reset control",
    pci_host_create, pci_host_reset, pci_host_destroy, pci_host_info,
};
