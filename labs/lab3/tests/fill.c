/* SPDX-License-Identifier: MIT */
/* One address space whose tables never change: pages for both rings, for the kernel only, for reading only, and holes. */
#include "world.h"

static void build(void)
{
    static const u32 kinds[] = { URW, UR, RW, 0, PTE_PRESENT };
    world_window(PAGE(0), PAGE(1));
    world_entry(PAGE(0), GUEST_LINEAR >> 22, PAGE(2) | URW);
    world_entry(PAGE(0), (GUEST_LINEAR >> 22) + 1, PAGE(2) | UR);  /* the same table, for reading only */
    for (u32 i = 0; i < 20; i++) {
        world_entry(PAGE(2), i, PAGE(16 + i) | kinds[i % 5]);
        world_entry(PAGE(16 + i), 0, 1000 + i);
    }
    step_cr3(PAGE(0));
    for (u32 i = 0; i < 21; i++) {
        u32 gva = GUEST_LINEAR + i * 4096;
        step_load(i & 1, gva);
        step_load(!(i & 1), gva);
        step_store(1, gva + 8, i);
        step_store(0, gva + 12, i);
        step_store(i & 1, gva + 0x400000, 7);
        step_load(1, gva + 12);
    }
    step_load(0, 0x80000000);
}

void guest_main(void) { world_run("fill", build); }
