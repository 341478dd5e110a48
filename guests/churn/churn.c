/* SPDX-License-Identifier: MIT */
/*
 * Processes that come and go, as far as the page tables see it: fork (every entry written, read-only), a switch of address spaces,
 * copy-on-write faults, work, and exit (every entry cleared). It is what shadow page tables are worst at, and EPT was made for.
 *
 * The entries of a fork and of an exit are written together, as kernels do: on Xen that is one hypercall for many (mmu_update). A process
 * works for 250,000 loop iterations, 2.2 million cycles. Adams & Agesen's forkwait does nothing but fork and wait: 6.02 s for 40,000 at
 * 3.8 GHz, 572,000 cycles each. Here is more work, and still more page-table churn than in all but a shell script; guests/build has less.
 */
#define PROGRAM "churn"
#include "measure.h"

enum { PROCESSES = 32, COPIED = PAGES / 4, ITERATIONS = 250000 };

OPERATION void write_all_entries(u32 bits)
{
    for (u32 i = 0; i < PAGES; i++)
        pte_later(pages[i], pte_make(pages[i], bits));
    pte_settle();
    tlb_flush();
}

/* The store faults, for the page is read-only; the kernel maps it writable (here: the same frame) and it is done again. */
OPERATION void copy_on_write(u8 *page)
{
    __asm__ volatile("movl $1f, %0; movb $1, %1; 1:" : "=m"(trap_resume), "=m"(*page));
    trap_resume = 0;
    pte_change(page, pte_make(page, PTE_PRESENT | PTE_WRITE));
    *(u8 volatile *)page = 1;
}

OPERATION u32 work(void)
{
    u32 sum = 0;
    LOOP(ITERATIONS, sum += *(u8 volatile *)&pages[i_ % PAGES][i_ & 0xfff])
    return sum;
}

OPERATION void process(u32 n)
{
    while (n--) {
        write_all_entries(PTE_PRESENT);     /* fork */
        cr3_load();
        for (u32 i = 0; i < COPIED; i++)
            copy_on_write(pages[i]);
        work();
        write_all_entries(0);               /* exit */
    }
}

void guest_main(void)
{
    process(1);
    report_n("process", PROCESSES, cycles_of(process, PROCESSES), 0);
    set_all_pages(PTE_PRESENT | PTE_WRITE);
    tlb_flush();
}
