/* SPDX-License-Identifier: MIT */
/* Inside src/machine: what the loaders share. */
#ifndef EMU_MACHINE_LOADERS_H
#define EMU_MACHINE_LOADERS_H

#include "machine/place.h"

#define LOADER_STACK 0x7c00 /* gpa: a small stack in free low memory, for guests that do not bring their own at once */

/* Place the segments of a 32-bit x86 executable by their physical addresses. 0 with its entry (gpa), or -1 with *err. */
int elf_place(struct placer *p, const struct file *f, u32 *entry, struct error *err);

extern const struct loader multiboot_loader, bzimage_loader, elf_loader, flat_loader;

#endif
