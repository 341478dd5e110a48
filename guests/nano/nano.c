/* SPDX-License-Identifier: MIT */
/*
 * The nine nanobenchmarks with which Adams and Agesen compared binary translation and VT-x (ASPLOS 2006, section 6.3), in
 * 32-bit terms: CR0.TS stands for CR8, INT 0x80 for SYSCALL. A tenth, cr3write, is not theirs: it is what EPT spares. Each
 * line says what was done, how often, and the cycles of all of it together, less those of an empty loop, by the
 * guest's own time-stamp counter:
 *
 *     @nano syscall 1024 247808
 */
#define PROGRAM "nano"
#include "measure.h"

OPERATION void do_in(u32 n) { LOOP(n, io_in8(0x80)) }
OPERATION void do_cr_write(u32 n) { LOOP(n, fpu_trap(i_ & 1)) }
OPERATION void do_cr3_write(u32 n) { LOOP(n, cr3_load()) }

static void __attribute__((naked)) callee(void) { __asm__("ret"); }
OPERATION void do_call(u32 n) { LOOP(n, __asm__ volatile("call %P0" : : "i"(callee))) }

/* A true fault: the page is not present in the guest's own tables. The handler steps over the load. */
OPERATION void do_page_fault(u32 n)
{
    LOOP(n, __asm__ volatile("movl $1f, %0; movb %1, %%al; 1:" : "=m"(trap_resume) : "m"(pages[0][0]) : "eax"))
}

OPERATION void do_divide_by_zero(u32 n)
{
    LOOP(n, __asm__ volatile("movl $1f, %0; xor %%eax, %%eax; div %%eax; 1:" : "=m"(trap_resume) : : "eax", "edx", "cc"))
}

/* --- in ring 3 ---------------------------------------------------------------------------------- */

static USER_DATA u64 user_cycles[2];

USER_CODE static void user_loops(u32 n)
{
    u64 start = rdtsc();
    LOOP(n, )
    u64 middle = rdtsc();
    LOOP(n, syscall(SYSCALL_NULL, 0))
    user_cycles[0] = middle - start;
    user_cycles[1] = rdtsc() - middle;
    for (;;)
        syscall(SYSCALL_EXIT, 0);
}

/* --- measuring ---------------------------------------------------------------------------------- */

static void measure_syscall(void)
{
    user_run(user_loops, 16);
    user_run(user_loops, COUNT);
    report("syscall", user_cycles[1], user_cycles[0]);
}

void guest_main(void)
{
    measure_syscall();
    measure("in", do_in);
    measure("crwrite", do_cr_write);
    measure("cr3write", do_cr3_write);
    measure("callret", do_call);

    pte_write(pages[0], 0);
    tlb_flush();
    measure("pgfault", do_page_fault);
    pte_write(pages[0], pte_make(pages[0], PTE_PRESENT | PTE_WRITE));
    tlb_flush();
    measure("divzero", do_divide_by_zero);
    trap_resume = 0;

    measure_ptes();
    fpu_trap(0);
}
