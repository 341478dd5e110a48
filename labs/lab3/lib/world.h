/* SPDX-License-Identifier: MIT */
/*
 * A guest as a list of steps. Each test runs it twice: on its own tables, walked by the processor itself (there gpa and hpa are the same), and
 * on yours. All that it sees must be the same: what it loads, its faults, and in the end all of its memory, with A and D bits.
 */
#ifndef LAB3_WORLD_H
#define LAB3_WORLD_H

#include "lab3.h"

#define GUEST_LINEAR 0x40000000u
#define WINDOW 0xc0000000u          /* where the guest's kernel sees all of its memory, and so its page tables */
#define MAX_STEPS 6000u

/* --- what a test's build() is made of --- */

/* gpa of a page by its number */
#define PAGE(n) (GUEST_BASE + (n) * 4096u)
/* Before the guest begins: an entry of a table; data is numbers already. */
void world_entry(u32 table, u32 index, u32 entry);
/* A page directory with the window at WINDOW, made of the tables at pages `directory` and `window`. */
void world_window(u32 directory, u32 window);
/* Steps, in order. */
void step_cr3(u32 directory);
void step_load(_Bool user, u32 gva);
void step_store(_Bool user, u32 gva, u32 value);
void step_pte(u32 table, u32 index, u32 entry);     /* a store through the window */
void step_invlpg(u32 gva);

#define RW (PTE_PRESENT | PTE_WRITE)
#define URW (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define UR (PTE_PRESENT | PTE_USER)

/* The same numbers every time. */
u32 world_random(u32 limit);

/* Both runs; then "@lab3 NAME: ..." and how often what happened, for tests that count. */
void world_run(const char *name, void (*build)(void));

#endif
