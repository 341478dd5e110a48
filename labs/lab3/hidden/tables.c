/* SPDX-License-Identifier: MIT */
/* Pages become page tables, and ordinary pages again. */
#include "world.h"

#define DIRECTORY PAGE(0)
#define NEW PAGE(5)
#define SLOT ((GUEST_LINEAR >> 22) + 3)
#define THERE (SLOT << 22)

static void one_life(u32 round)
{
    /* as data, stored to through the window: its translation is writable, and the processor has it */
    for (u32 i = 0; i < 4; i++)
        step_pte(NEW, i, PAGE(40 + i + round) | URW);
    step_pte(DIRECTORY, SLOT, NEW | URW);
    for (u32 i = 0; i < 4; i++)
        step_load(1, THERE + i * 4096);
    /* now it is a table: the same store, by the same translation */
    for (u32 i = 0; i < 4; i++) {
        step_pte(NEW, i, PAGE(60 + i + round) | UR);
        step_invlpg(THERE + i * 4096);
        step_load(1, THERE + i * 4096);
        step_store(1, THERE + i * 4096, 1);
    }
    /* and data again, in which much is written */
    step_pte(DIRECTORY, SLOT, 0);
    step_cr3(DIRECTORY);
    for (u32 i = 0; i < 200; i++)
        step_store(0, WINDOW + 5 * 4096 + i * 16 % 4096, i);
    step_load(1, THERE);
}

static void build(void)
{
    world_window(DIRECTORY, PAGE(1));
    for (u32 i = 40; i < 80; i++)
        world_entry(PAGE(i), 0, 3000 + i);
    step_cr3(DIRECTORY);
    for (u32 round = 0; round < 5; round++)
        one_life(round);
}

void guest_main(void) { world_run("tables", build); }
