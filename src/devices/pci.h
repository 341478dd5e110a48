/* SPDX-License-Identifier: MIT */
/*
 * PCI bus 0 behind configuration mechanism 1 (ports CF8h and CFCh) with its host bridge, and the reset control
 * register at CF9h. A PCI device makes a struct pci_function, fills config[] and writable[], and adds it.
 */
#ifndef EMU_DEVICES_PCI_H
#define EMU_DEVICES_PCI_H

#include "devices/device.h"

/* Offsets in configuration space (PCI Local Bus Specification 3.0, 6.1). */
enum { PCI_VENDOR = 0x00, PCI_DEVICE = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06, PCI_REVISION = 0x08,
       PCI_CLASS = 0x09, PCI_HEADER_TYPE = 0x0e, PCI_BAR0 = 0x10, PCI_SUBSYSTEM_VENDOR = 0x2c,
       PCI_INTERRUPT_LINE = 0x3c, PCI_INTERRUPT_PIN = 0x3d };

struct pci_function {
    u8 config[256];
    u8 writable[256];       /* the bits of each byte that a guest can change */
    /* After config[offset..offset+size) was written: a BAR moved, bus mastering was switched. NULL: nobody cares. */
    void (*written)(struct pci_function *f, u8 offset, unsigned size);
    void *dev;
};

struct pci_bus {
    struct pci_function *function[256];     /* by devfn = device << 3 | function; owned by their devices */
};

extern const struct device_ops pci_host_ops;

/* The bus behind the host bridge. d is the device of pci_host_ops. */
struct pci_bus *pci_host_bus(struct device *d);

/* Little-endian, for filling config[] and writable[]. */
void pci_put(u8 *space, u8 offset, unsigned size, u32 value);
/* Vendor, device, class (24 bits: base, sub, interface). */
void pci_identify(struct pci_function *f, u16 vendor, u16 device, u32 class_code, u8 revision);
/* 0, or -1 with *err if the place is taken. */
int pci_add(struct pci_bus *b, unsigned slot, unsigned func, struct pci_function *f, struct error *err);

#endif
