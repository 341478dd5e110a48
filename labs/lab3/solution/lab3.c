/* SPDX-License-Identifier: MIT */
/* Lab 3: shadow page tables. handout.md says what is to be done. */
#include "lab3.h"

/*** begin solution ***/
/* One shadow for each guest page that is used as a page table (level 1) or as a page directory (level 2). */
struct shadow { u32 gpa, *table; u8 level; u16 uses; /* entries of directories that lead here */ };
static struct shadow shadows[SHADOW_PAGES];
static u32 guest_cr3;
/*** instead ***
// What do you have to remember of each page of yours?
static u32 guest_cr3;
*** end solution ***/

void shadow_start(void)
{
    guest_cr3 = 0;
    /*** begin solution ***/
    for (u32 i = 0; i < SHADOW_PAGES; i++)
        shadows[i].table = 0;
    /*** instead ***
    *** end solution ***/
}

/*** begin solution ***/
/* --- which pages are shadowed --- */

static struct shadow *shadow_find(u32 gpa, u8 level)
{
    for (struct shadow *s = shadows; s < shadows + SHADOW_PAGES; s++)
        if (s->table && s->gpa == gpa && s->level == level)
            return s;
    return 0;
}

static _Bool is_traced(u32 gpa) { return shadow_find(gpa, 1) || shadow_find(gpa, 2); }

/* A page becomes a page table: no entry may let the guest store into it unseen, and no translation that the processor keeps. */
static void trace(u32 gpa)
{
    u32 hpa = host_frame(gpa);
    for (struct shadow *s = shadows; s < shadows + SHADOW_PAGES; s++)
        for (u32 i = 0; s->table && s->level == 1 && i < 1024; i++)
            if (s->table[i] & PTE_PRESENT && FRAME(s->table[i]) == hpa)
                s->table[i] &= ~PTE_WRITE;
    processor_flush();
}

static struct shadow *shadow_new(u32 gpa, u8 level)
{
    for (struct shadow *s = shadows; s < shadows + SHADOW_PAGES; s++) {
        if (s->table)
            continue;
        *s = (struct shadow){ gpa, shadow_page_alloc(), level, 0 };
        trace(gpa);
        return s;
    }
    kernel_panic("no shadow is free");
}

static u32 shadows_free(void)
{
    u32 n = 0;
    for (u32 i = 0; i < SHADOW_PAGES; i++)
        n += !shadows[i].table;
    return n;
}

static void shadow_drop(struct shadow *s)
{
    shadow_page_free(s->table);
    s->table = 0;
}

/* An entry of a directory goes, and with the last one that leads to it the page table's shadow and its trace. */
static void directory_clear(u32 *entry)
{
    for (struct shadow *s = shadows; *entry && s < shadows + SHADOW_PAGES; s++)
        if (s->table == (u32 *)FRAME(*entry) && --s->uses == 0)
            shadow_drop(s);
    *entry = 0;
}

static struct shadow *root(void)
{
    struct shadow *s = shadow_find(guest_cr3, 2);
    return s ? s : shadow_new(guest_cr3, 2);
}

/* Room for a directory and a table: if there is none, all begins anew. */
static void make_room(void)
{
    if (shadows_free() >= 2)
        return;
    for (struct shadow *s = shadows; s < shadows + SHADOW_PAGES; s++)
        if (s->table)
            shadow_drop(s);
    shadow_activate(root()->table);
}

/* --- filling --- */

static void fill(u32 gva, u32 pde, u32 pte)
{
    make_room();
    u32 *directory = &root()->table[gva >> 22];
    struct shadow *s = shadow_find(FRAME(pde), 1);
    if (!s)
        s = shadow_new(FRAME(pde), 1);
    if (!*directory)
        s->uses++;
    *directory = (u32)s->table | (pde & (PTE_PRESENT | PTE_WRITE | PTE_USER));
    u32 bits = pte & (PTE_PRESENT | PTE_WRITE | PTE_USER);
    if (!(pte & PTE_DIRTY) || is_traced(FRAME(pte)))
        bits &= ~PTE_WRITE; /* the first store must be seen, for D; and every one into a page table */
    s->table[gva >> 12 & 1023] = host_frame(FRAME(pte)) | bits;
    processor_flush_page(gva);
}

/* Do both entries allow it? What is asked of them is in the error code. */
static u32 forbidden(u32 pde, u32 pte, u32 error)
{
    u32 both = pde & pte, why = error & (PF_WRITE | PF_USER);
    if (!(both & PTE_PRESENT))
        return why | 0x80000000;
    if ((error & PF_WRITE && !(both & PTE_WRITE)) || (error & PF_USER && !(both & PTE_USER)))
        return why | PF_PRESENT | 0x80000000;
    return 0;
}
/*** instead ***
*** end solution ***/

void shadow_cr3_load(u32 cr3)
{
    /*** begin solution ***/
    guest_cr3 = FRAME(cr3);
    make_room();
    shadow_activate(root()->table);
    /*** instead ***
    // your code here: a page directory of yours, empty at first. Is it necessary to begin anew each time?
    guest_cr3 = FRAME(cr3);
    u32 *directory = shadow_page_alloc();
    if (directory)
        shadow_activate(directory);
    *** end solution ***/
}

void shadow_invlpg(u32 gva)
{
    /*** begin solution ***/
    processor_flush_page(gva);
    /*** instead ***
    (void)gva; // your code here
    *** end solution ***/
}

enum shadow_answer shadow_fault(struct fault *f)
{
    /*** begin solution ***/
    u32 *pde = &guest_page(guest_cr3)[f->gva >> 22], none = 0;
    u32 *pte = *pde & PTE_PRESENT ? &guest_page(FRAME(*pde))[f->gva >> 12 & 1023] : &none;
    u32 why = forbidden(*pde, *pte, f->error);
    if (why) {
        f->guest_error = why & ~0x80000000;
        return GUEST_FAULT;
    }
    *pde |= PTE_ACCESSED;
    *pte |= PTE_ACCESSED | (f->error & PF_WRITE ? PTE_DIRTY : 0);
    fill(f->gva, *pde, *pte);
    if (!(f->error & PF_WRITE) || !is_traced(FRAME(*pte)))
        return FILLED;
    f->gpa = FRAME(*pte) | (f->gva & 0xfff);
    return TRACED;
    /*** instead ***
    // your code here: walk the guest's tables for f->gva, and decide
    f->guest_error = f->error;
    return GUEST_FAULT;
    *** end solution ***/
}

void shadow_pte_written(u32 gpa)
{
    /*** begin solution ***/
    u32 index = (gpa & 0xfff) / 4;
    struct shadow *table = shadow_find(FRAME(gpa), 1), *directory = shadow_find(FRAME(gpa), 2);
    if (table)
        table->table[index] = 0;
    if (directory && index >= MONITOR_ENTRIES)
        directory_clear(&directory->table[index]);
    /*** instead ***
    (void)gpa; // your code here: what of yours was made from the old value?
    *** end solution ***/
}
