/* SPDX-License-Identifier: MIT */
/* Inside src/machine: the ACPI tables that firmware would have left. */
#ifndef EMU_MACHINE_ACPI_H
#define EMU_MACHINE_ACPI_H

#include "machine/vm.h"

#define ACPI_GPA 0xf0000u   /* in the area that is searched for the root pointer, and that the memory map reserves */

/* Write the tables to ACPI_GPA: how to turn the machine off, its timer, its PCI bus, its processors. */
void acpi_leave_tables(struct vm *vm);

#endif
