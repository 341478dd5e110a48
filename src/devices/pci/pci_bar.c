/* SPDX-License-Identifier: MIT */
/*
 * What every PCI function does alike: base address registers (PCI Local Bus Specification 3.0, 6.2.5.1), interrupt pins
 * (2.2.6, and the swizzle of PIIX boards), and bus mastering.
 */
#include <string.h>

#include "devices/pci/pci.h"

enum { BAR_IO = 1, ROM_ENABLE = 1 };
#define LOWEST_MEMORY 0x100000u /* below, the host bridge decodes by itself */

static u32 flags(const struct pci_bar *r) { return r->io ? BAR_IO : 0; }

void pci_set_bar(struct pci_function *f, unsigned n, const struct pci_bar *bar)
{
    u16 enable = bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    f->bar[n] = *bar;
    f->bar[n].mapped = false;
    pci_put(f->config, pci_bar_at(n), 4, flags(bar));
    pci_put(f->writable, pci_bar_at(n), 4, ~(bar->size - 1) | (n == PCI_ROM ? ROM_ENABLE : 0));
    pci_put(f->writable, PCI_COMMAND, 2, pci_get(f->writable, PCI_COMMAND, 2) | enable | PCI_COMMAND_MASTER);
    f->writable[PCI_INTERRUPT_LINE] = 0xff;
}

/* Does the register hold a place that can be decoded? Zero is "not set", all ones is somebody who asks for the size. */
static bool placed(const struct pci_function *f, unsigned n, u32 *at)
{
    const struct pci_bar *r = &f->bar[n];
    u32 enable = r->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
    *at = pci_get(f->config, pci_bar_at(n), 4) & ~(r->size - 1);
    u64 end = (u64)*at + r->size;
    if (n == PCI_ROM && !(f->config[PCI_ROM_BAR] & ROM_ENABLE))
        return false;
    return pci_get(f->config, PCI_COMMAND, 2) & enable && *at >= (r->io ? 1 : LOWEST_MEMORY) && end <= (r->io ? 0x10000 : (u64)0xffffffff);
}

static void lay_windows(struct bus *b, struct pci_bar *r)
{
    for (unsigned i = 0; i < r->nwindows; i++)
        physmap_add_window(b->map, r->name, r->at + r->window[i].offset, r->window[i].size, r->window[i].hva, NULL);
    r->open = true;
}

static void take_windows(struct bus *b, struct pci_bar *r)
{
    for (unsigned i = 0; r->open && i < r->nwindows; i++)
        physmap_remove_window(b->map, r->window[i].hva);
    r->open = false;
}

void pci_show_windows(struct pci_function *f, bool show)
{
    f->windows = show;
    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct pci_bar *r = &f->bar[n];
        if (r->mapped && r->open != show)
            (show ? lay_windows : take_windows)(f->bus->bus, r);
    }
}

static void unmap(struct bus *b, struct pci_bar *r)
{
    take_windows(b, r);
    if (r->mapped && r->io)
        bus_remove_ports(b, r->at, r->size, r->dev);
    else if (r->mapped)
        bus_remove_mmio(b, r->at, r->size, r->dev);
    r->mapped = false;
}

static void map(struct bus *b, struct pci_bar *r, u32 at)
{
    r->at = at;
    r->mapped = !(r->io ? bus_add_ports(b, r->name, at, r->size, r->ops, r->dev, NULL)
                        : bus_add_mmio(b, r->name, at, r->size, r->ops, r->dev, NULL));
    if (r->mapped && r->direct)
        physmap_set_direct(b->map, at);
}

void pci_update_bars(struct pci_function *f)
{
    for (unsigned n = 0; n < ARRAY_LEN(f->bar); n++) {
        struct pci_bar *r = &f->bar[n];
        u32 at;
        if (!r->size)
            continue;
        bool want = placed(f, n, &at);
        if (want == r->mapped && (!want || at == r->at))
            continue;
        unmap(f->bus->bus, r);
        if (want)
            map(f->bus->bus, r, at);
        if (r->mapped && f->windows)
            lay_windows(f->bus->bus, r);
    }
}

void pci_reset(struct pci_function *f)
{
    pci_put(f->config, PCI_COMMAND, 2, 0);
    f->config[PCI_INTERRUPT_LINE] = 0;
    for (unsigned n = 0; n < ARRAY_LEN(f->bar); n++)
        if (f->bar[n].size)
            pci_put(f->config, pci_bar_at(n), 4, flags(&f->bar[n]));
    pci_set_intx(f, false);
    pci_update_bars(f);
}

/* --- interrupts --- */

unsigned pci_pirq_of(unsigned slot, unsigned pin) { return (slot - 1 + pin - 1) & 3; }

void pci_set_intx(struct pci_function *f, bool level)
{
    unsigned pirq = pci_pirq_of(f->devfn >> 3, f->config[PCI_INTERRUPT_PIN]);
    unsigned *asserted = &f->bus->asserted[pirq];
    if (f->intx == level || !f->config[PCI_INTERRUPT_PIN])
        return;
    f->intx = level;
    *asserted += level ? 1 : -1;
    irq_set(&f->bus->pirq[pirq], *asserted > 0);
}

/* --- bus mastering --- */

static bool is_master(const struct pci_function *f) { return pci_get(f->config, PCI_COMMAND, 2) & PCI_COMMAND_MASTER; }

/* Bytes from gpa to the end of its page, at most len. */
static u64 in_page(gpa_t gpa, u64 len)
{
    u64 left = PAGE_SIZE - (gpa & ~PAGE_MASK);
    return len < left ? len : left;
}

u8 *pci_dma_ptr(const struct pci_function *f, gpa_t gpa, u64 len, bool write)
{
    struct pci_root *root = f->bus->root;
    if (!is_master(f))
        return NULL;
    if (root)
        return root->dma(root, f->bus->function[f->devfn], gpa, len, write);
    const struct physmap *m = f->bus->bus->map;
    return write ? physmap_ptr(m, gpa, len) : (u8 *)physmap_ptr_ro(m, gpa, len);
}

void pci_dma_written(const struct pci_function *f, gpa_t gpa, u64 len)
{
    struct pci_root *root = f->bus->root;
    if (root)
        root->written(root, f->bus->function[f->devfn], gpa, len);
    else
        physmap_written(f->bus->bus->map, gpa, len);
}

cycles_t pci_dma_time(struct pci_function *f)
{
    cycles_t taken = f->dma_cycles;
    f->dma_cycles = 0;
    return taken;
}

bool pci_dma_read(const struct pci_function *f, gpa_t gpa, void *buf, u64 len)
{
    for (u64 n; len; gpa += n, buf = (u8 *)buf + n, len -= n) {
        n = in_page(gpa, len);
        const u8 *p = pci_dma_ptr(f, gpa, n, false);
        if (!p)
            return false;
        memcpy(buf, p, n);
    }
    return true;
}

bool pci_dma_write(const struct pci_function *f, gpa_t gpa, const void *buf, u64 len)
{
    for (u64 n; len; gpa += n, buf = (const u8 *)buf + n, len -= n) {
        n = in_page(gpa, len);
        u8 *p = pci_dma_ptr(f, gpa, n, true);
        if (!p)
            return false;
        memcpy(p, buf, n);
        pci_dma_written(f, gpa, n);
    }
    return true;
}
