/* SPDX-License-Identifier: MIT */
/*
 * Interrupts by message: a function writes a word of data to an address below the local APICs (PCI Local Bus Specification 3.0, 6.8). MSI
 * has one address and a few vectors in configuration space; MSI-X has a table of them in memory, each to be masked by itself.
 */
#ifndef EMU_DEVICES_PCI_MSI_H
#define EMU_DEVICES_PCI_MSI_H

#include "devices/pci/pci.h"

enum { PCI_CAP_MSI = 0x05, PCI_CAP_MSIX = 0x11 };
#define PCI_MSI_SIZE 14         /* bytes of the capability, with a 64-bit address and no masks */
#define PCI_MSIX_SIZE 12
#define PCI_MSIX_MAX 64         /* vectors of a function */
#define PCI_MSIX_BAR_SIZE 4096  /* the table, and behind it the pending bits */

/* Put a capability with that ID at `at` of configuration space, in front of those that are there. Its own bytes are the caller's. */
void pci_add_capability(struct pci_function *f, u8 at, u8 id);

struct pci_msi { struct pci_function *f; u8 at; };

/* Before pci_add(). vectors: a power of two up to 32. */
void pci_msi_add(struct pci_msi *m, struct pci_function *f, u8 at, unsigned vectors);
/* Has the guest switched it on? Then the function's pin stays low. */
bool pci_msi_enabled(const struct pci_msi *m);
/* Vector n (the guest may have granted fewer: they fall together). Nothing while it is off, or the function is no bus master. */
void pci_msi_send(const struct pci_msi *m, unsigned n);

struct pci_msix {
    struct pci_function *f;
    u8 at;
    unsigned vectors;
    struct { u32 address, address_high, data, control; } entry[PCI_MSIX_MAX];
    u64 pending;                /* a bit for each vector that was sent while masked */
};

/* Before pci_add(): the table takes all of base address register `bar`. vectors: 1 to PCI_MSIX_MAX. */
void pci_msix_add(struct pci_msix *x, struct pci_function *f, u8 at, unsigned bar, unsigned vectors);
bool pci_msix_enabled(const struct pci_msix *x);
/* A masked vector waits until it is unmasked. */
void pci_msix_send(struct pci_msix *x, unsigned n);
/* For the function's own written(): what waits may go out now. */
void pci_msix_written(struct pci_msix *x);
/* As after RST#: all vectors masked, none pending, the capability off. */
void pci_msix_reset(struct pci_msix *x);
void pci_msi_reset(struct pci_msi *m);

#endif
