/* SPDX-License-Identifier: MIT */
/* The guest's kernel reads A and D bits, and clears them, as one that looks for pages to be written to its disk. */
#include "world.h"

#define ENTRY(i) (WINDOW + 2 * 4096 + (i) * 4)

static void build(void)
{
    world_window(PAGE(0), PAGE(1));
    world_entry(PAGE(0), GUEST_LINEAR >> 22, PAGE(2) | URW);
    for (u32 i = 0; i < 8; i++)
        world_entry(PAGE(2), i, PAGE(16 + i) | URW);
    step_cr3(PAGE(0));
    for (u32 round = 0; round < 3; round++) {
        for (u32 i = 0; i < 8; i++) {
            u32 gva = GUEST_LINEAR + i * 4096;
            if (i % 4 > 0)
                step_load(1, gva);
            step_load(0, ENTRY(i));
            if (i % 4 > 1)
                step_store(1, gva, round);
            step_load(0, ENTRY(i));
        }
        for (u32 i = 0; i < 8; i++) {
            step_pte(PAGE(2), i, PAGE(16 + i) | URW | (round ? PTE_ACCESSED : 0));
            step_invlpg(GUEST_LINEAR + i * 4096);
        }
    }
    step_load(0, WINDOW + (GUEST_LINEAR >> 22) * 4);
}

void guest_main(void) { world_run("dirty", build); }
