/* SPDX-License-Identifier: MIT */
/*
 * Configuration space: the device's own, byte by byte, but for what is only the guest's view of it. The kernel, too, shows us a copy where it
 * must (Linux: drivers/vfio/pci/vfio_pci_config.c); so what passes here cannot reach another device.
 */
#include <string.h>

#include "devices/vfio/vfio_real.h"

/* What a byte of the guest's has to do with the device's. */
enum real_reach { REACH_READ = 1, REACH_WRITE = 2 };

enum { CAP_POWER = 0x01, CAP_MSI = 0x05, CAP_MSIX = 0x11, FIRST_CAP = 0x40, HEADER_MULTI = 0x80, STATUS_CAPS = 1 << 4 };
enum { POWER_STATE = 4, POWER_STATE_BITS = 3 };
enum { MSI_CONTROL = 2, MSI_64_BIT = 1 << 7, MSI_MASKS = 1 << 8, MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PENDING = 8 };
#define COMMAND_BITS 0x07ff

static void let(struct vfio_real *v, unsigned from, unsigned len, u8 reach, u8 writable)
{
    memset(v->reaches + from, reach, len);
    memset(v->function.writable + from, writable, len);
}

/* --- capabilities --- */

/* A guest that sent it to sleep would find its registers gone, and so would we: its power state is the guest's belief only. */
static void add_power(struct vfio_real *v, u8 at)
{
    let(v, at + POWER_STATE, 4, 0, 0);
    v->function.writable[at + POWER_STATE] = POWER_STATE_BITS;
}

static void add_msi(struct vfio_real *v, u8 at)
{
    u16 control = pci_get(v->function.config, at + MSI_CONTROL, 2);
    struct real_msi *m = &v->msi;
    unsigned most = 1u << (control >> 1 & 7), have = v->d.irq[VFIO_PCI_MSI_IRQ_INDEX].count, few = have < REAL_MSI_VECTORS ? have : REAL_MSI_VECTORS;
    *m = (struct real_msi){ .at = at, .wide = control & MSI_64_BIT, .maskable = control & MSI_MASKS, .vectors = most < few ? most : few };
    unsigned len = (m->wide ? 14 : 10) + (m->maskable ? 10 : 0);
    let(v, at + MSI_CONTROL, len - MSI_CONTROL, 0, 0xff);
    pci_put(v->function.config, at + MSI_CONTROL, 2, control & ~0x71);
    pci_put(v->function.writable, at + MSI_CONTROL, 2, 0x71);
}

static void add_msix(struct vfio_real *v, u8 at)
{
    u8 *config = v->function.config;
    struct real_msix *x = &v->msix;
    u32 table = pci_get(config, at + MSIX_TABLE, 4), pba = pci_get(config, at + MSIX_PENDING, 4), have = v->d.irq[VFIO_PCI_MSIX_IRQ_INDEX].count;
    unsigned most = (pci_get(config, at + MSIX_CONTROL, 2) & 0x7ff) + 1;
    *x = (struct real_msix){ .at = at, .vectors = most < have ? most : have, .bar = table & 7, .table = table & ~7u, .pba_bar = pba & 7, .pba = pba & ~7u };
    let(v, at + MSIX_CONTROL, 10, 0, 0);
    pci_put(config, at + MSIX_CONTROL, 2, x->vectors ? x->vectors - 1 : 0);
    pci_put(v->function.writable, at + MSIX_CONTROL, 2, 0xc000);
}

/* A list may be broken, as everything that a device says: 48 fit. */
static void find_capabilities(struct vfio_real *v)
{
    const u8 *config = v->function.config;
    u8 at = pci_get(config, PCI_STATUS, 2) & STATUS_CAPS ? config[PCI_CAPABILITIES] & ~3 : 0;
    for (unsigned n = 0; at >= FIRST_CAP && n < 48; n++, at = config[at + 1] & ~3) {
        if (config[at] == CAP_POWER && at <= 0x100 - 8)
            add_power(v, at);
        if (config[at] == CAP_MSI && at <= 0x100 - 24 && v->d.irq[VFIO_PCI_MSI_IRQ_INDEX].count)
            add_msi(v, at);
        if (config[at] == CAP_MSIX && at <= 0x100 - 12 && v->d.irq[VFIO_PCI_MSIX_IRQ_INDEX].count)
            add_msix(v, at);
    }
}

/* --- accesses --- */

static void reading(struct pci_function *f, u8 offset, unsigned size)
{
    struct vfio_real *v = f->dev;
    u8 now[4];
    if (size > sizeof now || !vfio_kernel_read(&v->d, VFIO_PCI_CONFIG_REGION_INDEX, offset, now, size))
        return;
    for (unsigned i = 0; i < size; i++)
        if (v->reaches[(u8)(offset + i)] & REACH_READ)
            f->config[(u8)(offset + i)] = now[i];
}

/* As wide as the guest has written, if all of it is the device's. */
static void forward(struct vfio_real *v, u8 offset, unsigned size)
{
    bool whole = true;
    for (unsigned i = 0; i < size; i++)
        whole &= v->reaches[offset + i] >> 1 & 1;
    for (unsigned i = 0, n = whole ? size : 1; i < size; i += n)
        if (v->reaches[offset + i] & REACH_WRITE)
            vfio_kernel_store(&v->d, VFIO_PCI_CONFIG_REGION_INDEX, offset + i, n, pci_get(v->function.config, offset + i, n));
}

static void written(struct pci_function *f, u8 offset, unsigned size)
{
    struct vfio_real *v = f->dev;
    if (offset + size > 256)
        return;
    forward(v, offset, size);
    real_irq_config_written(v);
}

/* --- its life --- */

void real_config_reset(struct vfio_real *v)
{
    struct pci_function *f = &v->function;
    pci_reset(f);
    vfio_kernel_store(&v->d, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, 0);
    if (v->msi.vectors)
        pci_put(f->config, v->msi.at + MSI_CONTROL, 2, pci_get(f->config, v->msi.at + MSI_CONTROL, 2) & ~0x71);
    if (v->msix.vectors)
        pci_put(f->config, v->msix.at + MSIX_CONTROL, 2, v->msix.vectors - 1);
}

int real_config_init(struct vfio_real *v, struct error *err)
{
    struct pci_function *f = &v->function;
    if (!vfio_kernel_read(&v->d, VFIO_PCI_CONFIG_REGION_INDEX, 0, f->config, sizeof f->config))
        return error_set(err, "-device vfio-pci,host=%s: its configuration space cannot be read", v->d.address);
    if (f->config[PCI_HEADER_TYPE] & ~HEADER_MULTI)
        return error_set(err, "-device vfio-pci,host=%s: is a bridge; give the guest what is behind it", v->d.address);
    f->config[PCI_HEADER_TYPE] = 0;     /* it is alone in its slot, whatever it was */
    if (!v->d.irq[VFIO_PCI_INTX_IRQ_INDEX].count)
        f->config[PCI_INTERRUPT_PIN] = 0;
    memset(f->config + PCI_BAR0, 0, 4 * PCI_BARS);
    memset(f->config + PCI_ROM_BAR, 0, 4);
    let(v, PCI_COMMAND, 2, REACH_WRITE, 0xff);
    let(v, PCI_STATUS, 2, REACH_READ | REACH_WRITE, 0xff);
    let(v, 0x0c, 2, REACH_READ | REACH_WRITE, 0xff);    /* cache line, latency */
    let(v, FIRST_CAP, 256 - FIRST_CAP, REACH_READ | REACH_WRITE, 0xff);
    find_capabilities(v);
    pci_put(f->config, PCI_COMMAND, 2, 0);
    pci_put(f->writable, PCI_COMMAND, 2, COMMAND_BITS);
    f->writable[PCI_INTERRUPT_LINE] = 0xff;
    f->reading = reading;
    f->written = written;
    f->dev = v;
    f->assigned = v;
    return 0;
}
