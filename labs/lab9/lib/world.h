/* SPDX-License-Identifier: MIT */
#ifndef LAB9_WORLD_H
#define LAB9_WORLD_H

#include "lab9.h"

/* vm_assign(), and what it says. */
void say_assign(u32 vm, u32 n, const u32 *device);
void say_release(u32 vm);
/* A device's DMA of 8 bytes: what became of it, and what the IOMMU has recorded. */
void say_write(u32 device, u64 address, u32 value);
void say_read(u32 device, u64 address);
/* The machine's memory, as it sees it. */
u32 guest_word(u32 vm, u32 gpa);
void guest_set(u32 vm, u32 gpa, u32 value);
void say_faults(void);

#endif
