/* SPDX-License-Identifier: MIT */
/* Inside src/machine: what firmware would have left in PCI configuration space for a kernel that is entered without it. */
#ifndef EMU_MACHINE_FIRMWARE_PCI_H
#define EMU_MACHINE_FIRMWARE_PCI_H

#include "machine/vm.h"

/* The interrupts that the four wires of the PCI bus are put on. */
enum { FIRMWARE_PCI_IRQ_A = 10, FIRMWARE_PCI_IRQ_C = 11 };
/* Which of them a slot's pin (1 is INTA#, to 4) is on. */
u8 firmware_pci_irq(unsigned slot, unsigned pin);

/* Functions that interrupt (and those of the host) get places and interrupt lines, the chipset its routes. The rest is left for the kernel to place. */
void firmware_leave_pci(struct vm *vm);

#endif
