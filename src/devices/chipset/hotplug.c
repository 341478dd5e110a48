/* SPDX-License-Identifier: MIT */
/*
 * What the ACPI tables inside SeaBIOS look at besides power.c: general-purpose events (AFE0h), and QEMU's registers for PCI devices and
 * processors that come and go (AE00h, AF00h; its docs/specs/acpi_pci_hotplug, acpi_cpu_hotplug). Here nothing comes or goes. That must be
 * said: where nobody answers, a guest reads ones, which are events, and requests to eject every device that there is.
 */
#include <stdlib.h>

#include "devices/chipset/small.h"

enum { GPE_BASE = 0xafe0, GPE_ENABLE = 2, GPE_LEN = 4, PCI_BASE = 0xae00, PCI_LEN = 0x14, CPU_BASE = 0xaf00, CPU_LEN = 0x20 };

struct hotplug {
    struct device dev;
    u8 enable[2];
    unsigned processors;
};

static u64 gpe_read(void *dev, u64 offset, unsigned size)
{
    return offset >= GPE_ENABLE ? ((struct hotplug *)dev)->enable[offset - GPE_ENABLE] : 0;
}

/* Status bits are never set, so there are none to clear. */
static void gpe_write(void *dev, u64 offset, unsigned size, u64 value)
{
    if (offset >= GPE_ENABLE)
        ((struct hotplug *)dev)->enable[offset - GPE_ENABLE] = value;
}

/* Slots that were filled, that are to be emptied, that can be emptied: none. */
static u64 pci_read(void *dev, u64 offset, unsigned size) { return 0; }

/* A bit for each processor. */
static u64 cpu_read(void *dev, u64 offset, unsigned size)
{
    unsigned n = ((struct hotplug *)dev)->processors, first = 8 * offset;
    return n <= first ? 0 : n - first >= 8 ? 0xff : BIT(n - first) - 1;
}

static void no_write(void *dev, u64 offset, unsigned size, u64 value) {}

static const struct bus_ops gpe_ports = { gpe_read, gpe_write }, pci_ports = { pci_read, no_write, 1, 4 }, cpu_ports = { cpu_read, no_write };

static void hotplug_reset(struct device *d)
{
    struct hotplug *p = (struct hotplug *)d;
    p->enable[0] = p->enable[1] = 0;
}

static void hotplug_destroy(struct device *d) { free(d); }

static struct device *hotplug_create(struct platform *to, struct error *err)
{
    struct hotplug *p = device_new(&hotplug_ops, sizeof *p, err);
    if (!p)
        return NULL;
    p->processors = to->ncpus ? to->ncpus : 1;
    if (bus_add_ports(to->bus, "gpe", GPE_BASE, GPE_LEN, &gpe_ports, p, err) || bus_add_ports(to->bus, "pci-hotplug", PCI_BASE, PCI_LEN, &pci_ports, p, err) ||
        bus_add_ports(to->bus, "cpu-hotplug", CPU_BASE, CPU_LEN, &cpu_ports, p, err)) {
        free(p);
        return NULL;
    }
    return &p->dev;
}

const struct device_ops hotplug_ops = {
    "hotplug", "ACPI general-purpose events, and PCI devices and processors that come and go: none does", hotplug_create, hotplug_reset, hotplug_destroy, NULL,
};
