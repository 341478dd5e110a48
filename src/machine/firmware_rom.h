/* SPDX-License-Identifier: MIT */
/* Inside src/machine: starting from a BIOS: its ROM at the reset vector, and what it asks the machine through fw_cfg. */
#ifndef EMU_MACHINE_FIRMWARE_ROM_H
#define EMU_MACHINE_FIRMWARE_ROM_H

#include "machine/vm.h"

/* Find the BIOS and put it at the end of 4 GiB; before the devices are made. Nothing without config.bios. 0 or -1 with *err. */
int firmware_load_rom(struct vm *vm, struct error *err);

/* Tell fw_cfg of memory, processors, boot menu and the display's BIOS; after the devices are made. 0 or -1 with *err. */
int firmware_fill_fwcfg(struct vm *vm, struct error *err);

#endif
