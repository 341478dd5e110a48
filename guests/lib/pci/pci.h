/* SPDX-License-Identifier: MIT */
/* PCI bus 0 by configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3.2), and MSI-X. */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include "kernel.h"

enum { PCI_COMMAND = 0x04, PCI_BAR0 = 0x10, PCI_CAPABILITIES = 0x34, PCI_INTERRUPT_LINE = 0x3c, PCI_CAP_VENDOR = 9, PCI_CAP_MSIX = 0x11 };
enum { PCI_NONE = 0 };

/* A function by vendor and device, switched on as a bus master: its address for pci_read(), PCI_NONE: there is none. */
u32 pci_find(u16 vendor, u16 device);
u32 pci_read(u32 function, u8 reg);                     /* 32 bits */
void pci_write(u32 function, u8 reg, u32 value);
/* The next capability with that ID behind `at` (0: from the start); 0: there is none. */
u8 pci_capability(u32 function, u8 id, u8 at);
/* Vector n of MSI-X interrupts this processor at APIC_VECTOR; the first call switches it on. False: there is no MSI-X or no APIC. */
_Bool pci_msix(u32 function, u32 n);

#endif
