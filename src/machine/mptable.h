/* SPDX-License-Identifier: MIT */
/* Inside src/machine: the tables of the MultiProcessor Specification, for kernels that do not read ACPI's. */
#ifndef EMU_MACHINE_MPTABLE_H
#define EMU_MACHINE_MPTABLE_H

#include "machine/vm.h"

#define MPTABLE_GPA 0xf4000u    /* in the BIOS's ROM, which is searched for the floating pointer */

/* Write the floating pointer and the configuration table to MPTABLE_GPA. Nothing where the processors have no local APIC. */
void mptable_leave(struct vm *vm);

#endif
