/* SPDX-License-Identifier: MIT */
/* More processes than shadow pages; and one directory that is its own page table. */
#include "world.h"

enum { SPACES = 30 };

static void build(void)
{
    for (u32 s = 0; s < SPACES; s++) {
        world_window(PAGE(s * 2), PAGE(100));
        world_entry(PAGE(s * 2), GUEST_LINEAR >> 22, PAGE(s * 2 + 1) | URW);
        world_entry(PAGE(s * 2), 0xffc00000 >> 22, PAGE(s * 2) | RW);
        world_entry(PAGE(s * 2 + 1), 5, PAGE(64 + s) | URW);
        world_entry(PAGE(64 + s), 0, 4000 + s);
    }
    for (u32 round = 0; round < 3; round++) {
        for (u32 s = 0; s < SPACES; s++) {
            u32 gva = GUEST_LINEAR + 5 * 4096;
            step_cr3(PAGE(s * 2));
            step_load(1, gva);
            step_store(1, gva + 4, s * 7 + round);
            step_store(0, 0xffc00000 + (gva >> 10), PAGE(64 + (s + 1) % SPACES) | UR);  /* this page's own entry */
            step_invlpg(gva);
            step_load(1, gva + 4);
            step_store(1, gva + 4, 99);
            step_store(0, 0xfffff000 + (gva >> 22) * 4, 0);                             /* and its table's */
            step_cr3(PAGE(s * 2));
            step_load(1, gva);
            step_store(0, 0xfffff000 + (gva >> 22) * 4, PAGE(s * 2 + 1) | URW);
        }
    }
}

void guest_main(void) { world_run("many", build); }
