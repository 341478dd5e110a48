/* SPDX-License-Identifier: MIT */
/*
 * The device's registers. Where the kernel maps them, the guest's monitor may map them too (struct pci_window); all others, and those pages
 * where the table of MSI-X vectors is, come here. The guest's bus is 32 bits wide: a register for 64-bit addresses is shown as one of 32.
 */
#include <stdlib.h>

#include "devices/vfio/vfio_real.h"

enum { BAR_IO = 1, BAR_KIND = 6, BAR_64_BIT = 4, ROM_MIN = 2048, ROM_MAX = 16 << 20 };
#define BAR_MAX ((u64)1 << 29)

static u64 bar_read(void *dev, u64 offset, unsigned size)
{
    const struct real_bar *b = dev;
    if (real_msix_owns(b->v, b->n, offset))
        return real_msix_load(b->v, b->n, offset, size);
    u64 value = vfio_kernel_load(&b->v->d, b->n, offset, size);
    real_irq_served(b->v);
    return value;
}

static void bar_write(void *dev, u64 offset, unsigned size, u64 value)
{
    const struct real_bar *b = dev;
    if (real_msix_owns(b->v, b->n, offset)) {
        real_msix_store(b->v, b->n, offset, size, value);
        return;
    }
    vfio_kernel_store(&b->v->d, b->n, offset, size, value);
    real_irq_served(b->v);
}

static u64 rom_read(void *dev, u64 offset, unsigned size)
{
    const struct real_bar *b = dev;
    u64 value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (u64)b->v->rom[offset + i] << 8 * i;
    return value;
}

static void rom_write(void *dev, u64 offset, unsigned size, u64 value) {}

static const struct bus_ops memory_ops = { bar_read, bar_write, 1, 8 }, port_ops = { bar_read, bar_write, 1, 4 }, rom_ops = { rom_read, rom_write, 1, 8 };

static int add_windows(struct vfio_real *v, unsigned n, struct pci_bar *bar, struct error *err)
{
    const struct vfio_kernel_region *r = &v->d.region[n];
    const struct real_msix *x = &v->msix;
    bool table = x->vectors && x->bar == n;
    if (vfio_kernel_map_region(&v->d, n, table ? x->table : 0, table ? 16 * x->vectors : 0, err))
        return -1;
    _Static_assert((int)PCI_WINDOWS_MAX == (int)VFIO_AREAS_MAX, "each area is a window");
    for (unsigned i = 0; i < r->nareas; i++)
        bar->window[bar->nwindows++] = (struct pci_window){ r->area[i].offset, r->area[i].size, r->area[i].at };
    return 0;
}

/* kind: the low bits of the device's own register. */
static int add_bar(struct vfio_real *v, unsigned n, u32 kind, struct error *err)
{
    const struct vfio_kernel_region *r = &v->d.region[n];
    bool io = kind & BAR_IO;
    if (!r->size)
        return 0;
    if (r->size > BAR_MAX || r->size & (r->size - 1))
        return error_set(err, "-device vfio-pci,host=%s: base address register %u is 0x%llx bytes large; the guest's bus has room for 512 MiB", v->d.address, n,
                         (unsigned long long)r->size);
    v->bar[n] = (struct real_bar){ v, n };
    struct pci_bar bar = { .name = v->d.address, .size = r->size, .io = io, .ops = io ? &port_ops : &memory_ops, .dev = &v->bar[n] };
    if (!io && add_windows(v, n, &bar, err))
        return -1;
    pci_set_bar(&v->function, n, &bar);
    return 0;
}

static void add_rom(struct vfio_real *v)
{
    u64 size = v->d.region[VFIO_PCI_ROM_REGION_INDEX].size;
    if (size < ROM_MIN || size > ROM_MAX || size & (size - 1) || !(v->rom = malloc(size)))
        return;
    if (!vfio_kernel_read(&v->d, VFIO_PCI_ROM_REGION_INDEX, 0, v->rom, size) || v->rom[0] != 0x55 || v->rom[1] != 0xaa) {
        free(v->rom);
        v->rom = NULL;
        return;
    }
    v->bar[PCI_ROM] = (struct real_bar){ v, PCI_ROM };
    pci_set_bar(&v->function, PCI_ROM, &(struct pci_bar){ .name = v->d.address, .size = size, .ops = &rom_ops, .dev = &v->bar[PCI_ROM] });
}

int real_bars_init(struct vfio_real *v, bool no_rom, struct error *err)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        u32 kind = vfio_kernel_load(&v->d, VFIO_PCI_CONFIG_REGION_INDEX, pci_bar_at(n), 4) & 15;
        if (add_bar(v, n, kind, err))
            return -1;
        if (!(kind & BAR_IO) && (kind & BAR_KIND) == BAR_64_BIT)
            n++;            /* the next is its upper half */
    }
    if (!no_rom)
        add_rom(v);
    return 0;
}
