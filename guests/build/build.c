/* SPDX-License-Identifier: MIT */
/*
 * What building a kernel is, as the processor and its monitor see it: processes that compute in ring 3, miss the TLB, fault pages in,
 * call the kernel, and go. What a job does is not chosen but measured, by others:
 *
 *     user instructions from one page fault to the next    130,000    perf stat of a whole Linux build: 6.26e12 instructions of user
 *                                                                     code, 48.2e6 page faults (gist.github.com/mcgrof, 2023; second hand)
 *     user instructions from one TLB miss to the next        1,420    Bhargava et al., ASPLOS 2008: 70.4 misses in 100,000, class IntCpu
 *     kernel's share of the time, natively                     7 %    Barham et al., SOSP 2003, on their Linux build
 *     kernel's path, a page fault                          1.42 us    SOSP 2003, table 5, L-UP
 *     kernel's path, a fork                                 110 us    SOSP 2003, table 3, L-UP
 *
 * Microseconds are taken at 2 GHz, an instruction at one cycle. What of the 7 % faults and fork do not use is the path of system calls:
 * one for each page fault, 3,500 cycles, some 1.75 us (an open and close takes 1.92 there). Disks are left out.
 */
#define PROGRAM "build"
#include "measure.h"

enum {
    JOBS = 8,
    PER_FAULT = 130000, PER_MISS = 1420,                            /* user instructions */
    LOOP_INSNS = 4,                                                 /* of the loop in compute() */
    FAULT_PATH = 2840 - 450, FORK_PATH = 220000, CALL_PATH = 3500,  /* kernel's cycles; less what the exception itself takes */
    SPREAD = 2048,                                                  /* pages: more than a TLB holds, so that each visit misses */
};

static u8 spread[SPREAD][4096] __attribute__((aligned(4096)));
static u32 USER_DATA next_page;

/* One visit of a far page, then instructions that stay where they are; until the next page fault is due. */
static void USER_CODE compute(u32 unused)
{
    for (u32 miss = 0; miss < PER_FAULT / PER_MISS; miss++) {
        u32 n = PER_MISS / LOOP_INSNS, sum;
        u8 volatile *page = spread[next_page++ % SPREAD];
        __asm__ volatile("movzbl %2, %0; 1: add %1, %0; lea 1(%0), %0; dec %1; jnz 1b" : "=&r"(sum), "+r"(n) : "m"(*page) : "cc");
    }
    syscall(SYSCALL_EXIT, 0);
    for (;;)
        ;
}

/* The kernel's own work, nothing of which a monitor sees. */
OPERATION void path(u32 cycles) { LOOP(cycles / 2, ) }

OPERATION void write_all_entries(u32 bits)
{
    for (u32 i = 0; i < PAGES; i++)
        pte_later(pages[i], pte_make(pages[i], bits));
    pte_settle();
    tlb_flush();
}

/* The page is not there; the kernel maps it, and the store is done again. */
OPERATION void fault_in(u8 *page)
{
    __asm__ volatile("movl $1f, %0; movb $1, %1; 1:" : "=m"(trap_resume), "=m"(*page));
    trap_resume = 0;
    path(FAULT_PATH);
    pte_change(page, pte_make(page, PTE_PRESENT | PTE_WRITE));
    *(u8 volatile *)page = 1;
}

OPERATION void job(u32 n)
{
    while (n--) {
        path(FORK_PATH);
        write_all_entries(PTE_PRESENT);     /* fork: the child shares everything, */
        cr3_load();
        write_all_entries(0);               /* and exec drops it */
        for (u32 i = 0; i < PAGES; i++) {
            fault_in(pages[i]);
            user_run(compute, 0);
            path(CALL_PATH);
        }
        write_all_entries(0);               /* exit */
    }
}

static void give_to_user(void)
{
    for (u32 i = 0; i < SPREAD; i++)
        pte_later(spread[i], pte_make(spread[i], PTE_PRESENT | PTE_WRITE | PTE_USER));
    pte_settle();
    tlb_flush();
}

void guest_main(void)
{
    give_to_user();
    for (u32 i = 0; i < SPREAD; i++)
        *(u8 volatile *)spread[i] = 1;      /* the monitor backs it */
    job(1);
    report_n("job", JOBS, cycles_of(job, JOBS), 0);
    write_all_entries(PTE_PRESENT | PTE_WRITE);
}
