/* SPDX-License-Identifier: MIT */
/* Four processes take turns. Their kernel's half is the same tables, and what each has touched it finds again. */
#include "world.h"

enum { SPACES = 4, PAGES = 6, ROUNDS = 20 };

static void build(void)
{
    for (u32 s = 0; s < SPACES; s++) {
        world_window(PAGE(s * 2), PAGE(20));
        world_entry(PAGE(s * 2), GUEST_LINEAR >> 22, PAGE(s * 2 + 1) | URW);
        for (u32 i = 0; i < PAGES; i++)
            world_entry(PAGE(s * 2 + 1), i, PAGE(32 + s * PAGES + i) | URW);
    }
    for (u32 round = 0; round < ROUNDS; round++) {
        for (u32 s = 0; s < SPACES; s++) {
            step_cr3(PAGE(s * 2));
            for (u32 i = 0; i < PAGES; i++) {
                step_load(1, GUEST_LINEAR + i * 4096);
                step_store(1, GUEST_LINEAR + i * 4096, round * 100 + s);
            }
            step_load(0, WINDOW + (32 + (s + 1) % SPACES * PAGES) * 4096);
        }
    }
}

void guest_main(void) { world_run("spaces", build); }
