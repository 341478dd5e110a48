/* SPDX-License-Identifier: MIT */
/* Inside src/machine: what firmware would have left in PCI configuration space for a kernel that is entered without it. */
#ifndef EMU_MACHINE_FIRMWARE_PCI_H
#define EMU_MACHINE_FIRMWARE_PCI_H

#include "machine/vm.h"

/* Functions that interrupt get places and interrupt lines, the chipset its routes. The rest is left for the kernel to place. */
void firmware_leave_pci(struct vm *vm);

#endif
