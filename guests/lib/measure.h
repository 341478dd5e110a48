/* SPDX-License-Identifier: MIT */
/*
 * How benchmark guests measure: each operation many times in a loop, less the same loop empty, by the guest's own time-stamp
 * counter. A program defines PROGRAM (its name) and includes this. Every line of it is
 *
 *     @PROGRAM operation count cycles
 */
#ifndef GUEST_MEASURE_H
#define GUEST_MEASURE_H

#include "kernel.h"

#define COUNT 1024u
#define PAGES 64u

static u8 pages[PAGES][4096] __attribute__((aligned(4096)));

/* Each does its operation n times, in the same loop as the empty one; noinline, so that all are called alike. */
#define OPERATION static __attribute__((noinline))
#define LOOP(n, body) for (u32 i_ = (n); i_; i_--) { body; __asm__ volatile("" : : : "memory"); }
OPERATION void do_nothing(u32 n) { LOOP(n, ) }

OPERATION u64 cycles_of(void (*loop)(u32), u32 n)
{
    u64 start = rdtsc();
    loop(n);
    return rdtsc() - start;
}

static void report_n(const char *operation, u32 count, u64 cycles, u64 empty)
{
    print("@" PROGRAM " %s %u %U\n", operation, count, cycles > empty ? cycles - empty : 0);
}
static void report(const char *operation, u64 cycles, u64 empty) { report_n(operation, COUNT, cycles, empty); }

/* Once in advance, so that what happens only the first time (translation, hidden faults) is not in the number. */
static void measure(const char *operation, void (*loop)(u32))
{
    cycles_of(do_nothing, 16);
    cycles_of(loop, 16);
    u64 empty = cycles_of(do_nothing, COUNT);
    report(operation, cycles_of(loop, COUNT), empty);
}

/* --- page-table entries of pages[] --------------------------------------------------------------- */

OPERATION void do_pte_unchanged(u32 n)
{
    pte_t same = pte_make(pages[0], PTE_PRESENT | PTE_WRITE);
    LOOP(n, pte_write(pages[0], same))
}

OPERATION void set_all_pages(u32 bits)
{
    for (u32 i = 0; i < PAGES; i++)
        pte_write(pages[i], pte_make(pages[i], bits));
}

OPERATION void touch_all_pages(void)
{
    for (u32 i = 0; i < PAGES; i++)
        *(u8 volatile *)pages[i] = i;
}

/* The empty twin of set_all_pages(). */
OPERATION void skip_all_pages(void)
{
    for (u32 i = 0; i < PAGES; i++)
        __asm__ volatile("" : : "r"(pte_make(pages[i], 0)) : "memory");
}

/* Present to not present and back again, over all pages; between the two the pages are touched, so that whoever shadows
 * the table has something to take back. */
static void measure_pte_changes(void)
{
    u64 away = 0, back = 0, empty = 0;
    for (u32 round = 0; round <= COUNT / PAGES; round++) {
        touch_all_pages();
        u64 t0 = rdtsc();
        skip_all_pages();
        u64 t1 = rdtsc();
        set_all_pages(0);
        u64 t2 = rdtsc();
        tlb_flush();
        u64 t3 = rdtsc();
        set_all_pages(PTE_PRESENT | PTE_WRITE);
        u64 t4 = rdtsc();
        tlb_flush();
        if (round == 0)
            continue;   /* the first time, in advance */
        empty += t1 - t0;
        away += t2 - t1;
        back += t4 - t3;
    }
    report("ptemod-p-np", away, empty);
    report("ptemod-np-p", back, empty);
}

static __attribute__((unused)) void measure_ptes(void)
{
    touch_all_pages();
    measure("ptemod-same", do_pte_unchanged);
    measure_pte_changes();
}

#endif
