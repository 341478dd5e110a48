/* SPDX-License-Identifier: MIT */
/* Five thousand steps of everything, by chance. The guest keeps to the rules: what it takes away it invalidates. */
#include "world.h"

enum { SPACES = 3, TABLES = 6, ENTRIES = 12, STEPS = 3000 };
#define TABLE(t) PAGE(10 + (t))
#define SLOT ((GUEST_LINEAR >> 22))

static u32 space;

static u32 some_entry(void)
{
    static const u32 bits[] = { URW, URW, URW, UR, RW, PTE_PRESENT, 0, URW | PTE_ACCESSED, URW | PTE_ACCESSED | PTE_DIRTY };
    return PAGE(32 + world_random(40)) | bits[world_random(sizeof bits / sizeof *bits)];
}

/* Tables are shared, so an entry may have several addresses: all of them are told. */
static void change_page(void)
{
    u32 t = world_random(TABLES), i = world_random(ENTRIES);
    step_pte(TABLE(t), i, some_entry());
    for (u32 slot = 0; slot < TABLES; slot++)
        step_invlpg((SLOT + slot) << 22 | i << 12);
}

static void change_directory(void)
{
    static const u32 bits[] = { URW, URW, UR, RW, 0 };
    step_pte(PAGE(space), SLOT + world_random(TABLES), TABLE(world_random(TABLES)) | bits[world_random(5)]);
    step_cr3(PAGE(space));
}

static void touch(void)
{
    u32 gva = (SLOT + world_random(TABLES)) << 22 | world_random(ENTRIES) << 12 | world_random(1024) * 4;
    _Bool user = world_random(3);
    if (world_random(2))
        step_load(user, gva);
    else
        step_store(user, gva, world_random(1 << 24));
}

static void build(void)
{
    for (u32 s = 0; s < SPACES; s++) {
        world_window(PAGE(s), PAGE(9));
        for (u32 t = 0; t < TABLES; t++)
            world_entry(PAGE(s), SLOT + t, TABLE(t) | URW);
    }
    space = 0;
    step_cr3(PAGE(0));
    for (u32 n = 0; n < STEPS; n++) {
        u32 what = world_random(100);
        if (what < 3)
            step_cr3(PAGE(space = world_random(SPACES)));
        else if (what < 5)
            change_directory();
        else if (what < 14)
            change_page();
        else
            touch();
        if (what == 50)
            step_load(0, WINDOW + 10 * 4096 + world_random(TABLES) * 4096 + world_random(ENTRIES) * 4);
    }
}

void guest_main(void) { world_run("random", build); }
