/* SPDX-License-Identifier: MIT */
/* The guest's kernel changes its tables as it runs: maps, unmaps, moves and protects pages. */
#include "world.h"

#define TABLE PAGE(2)

static void set(u32 index, u32 entry)
{
    step_pte(TABLE, index, entry);
    step_invlpg(GUEST_LINEAR + index * 4096);
}

static void look(u32 index)
{
    step_load(1, GUEST_LINEAR + index * 4096);
    step_store(1, GUEST_LINEAR + index * 4096 + 4, index);
    step_load(0, GUEST_LINEAR + index * 4096 + 4);
}

static void build(void)
{
    world_window(PAGE(0), PAGE(1));
    world_entry(PAGE(0), GUEST_LINEAR >> 22, TABLE | URW);
    for (u32 i = 0; i < 40; i++)
        world_entry(PAGE(16 + i), 0, 2000 + i);
    step_cr3(PAGE(0));
    for (u32 i = 0; i < 8; i++) {
        look(i);
        set(i, PAGE(16 + i) | URW);
        look(i);
        set(i, PAGE(16 + i) | UR);
        look(i);
        set(i, PAGE(30 + i) | URW);
        look(i);
        set(i, 0);
        look(i);
    }
    /* two names of one page; the second goes, the first stays */
    set(0, PAGE(16) | URW);
    set(1, PAGE(16) | URW);
    look(0);
    look(1);
    set(1, 0);
    look(1);
    look(0);
}

void guest_main(void) { world_run("traces", build); }
