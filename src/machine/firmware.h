/* SPDX-License-Identifier: MIT */
/* Inside src/machine: what firmware would have left for a kernel: the memory map and the BIOS data area. */
#ifndef EMU_MACHINE_FIRMWARE_H
#define EMU_MACHINE_FIRMWARE_H

#include "machine/vm.h"

enum { E820_RAM = 1, E820_RESERVED = 2 }; /* ACPI 6.5, table 15.3 */
struct e820_entry { u64 base, len; u32 type; } __attribute__((packed));

#define FIRMWARE_MAP_MAX 4
#define FIRMWARE_LOW_END 0x9fc00    /* gpa where free low memory ends and the extended BIOS data area begins */

/* Fill in the machine's memory map; returns the number of entries. */
unsigned firmware_memory_map(const struct vm *vm, struct e820_entry map[FIRMWARE_MAP_MAX]);

/* Write the BIOS data area as it is after power-on self test: serial ports, memory size, text mode 80x25. */
void firmware_leave_data(struct vm *vm);

#endif
