/* SPDX-License-Identifier: MIT */
/* Inside src/machine: the user's -device vfio-pci: devices of the modelled host, and of this computer, that this machine gets. */
#ifndef EMU_MACHINE_ASSIGN_H
#define EMU_MACHINE_ASSIGN_H

#include "machine/vm.h"

/* Find the host (or make it) and the devices in it, check their groups, and tell the platform; after network_open(), before the devices
 * are made. Nothing without config.vfio[]. 0 or -1 with *err. */
int assign_open(struct vm *vm, struct error *err);
void assign_close(struct vm *vm);

#endif
