/* SPDX-License-Identifier: MIT */
/*
 * Processes that come and go, as far as memory sees it. It is what shadow page tables are worst at, and EPT was made for. One process:
 *
 *     fork    every entry of the parent becomes read-only, and is written a second time for the child (Linux: copy_page_range());
 *             a switch of address spaces, which empties the TLB
 *     child   stores into shared pages: a fault, and the page is copied, all 4 KiB
 *     exec    what was inherited goes, every entry; what is touched then faults, and is a page of zeros, which somebody must write
 *     work
 *     exit    every entry of the child goes; a switch back; the parent's stores fault, but nobody shares its pages any more: no copy
 *
 * Entries that are written together are, as kernels do: on Xen that is one hypercall for many (mmu_update).
 *
 * How long is a process's life? Barham et al. (SOSP 2003, table 3) have lmbench's `sh` at 4.0 ms on native Linux: a shell is started, and starts a
 * program. That is two processes; at 2 GHz 4,000,000 cycles each, native. The loop of work() makes up for what the rest does not use. So this is a
 * shell script that starts one program after the other. Adams & Agesen's forkwait does less (6.02 s for 40,000 at 3.8 GHz: 572,000 cycles each),
 * guests/build more between two processes.
 */
#define PROGRAM "churn"
#include "measure.h"

enum { PROCESSES = 32, COPIED = PAGES / 4, ITERATIONS = 424000, WORDS = 4096 / 4 };

/* pages[] is the parent's memory. child[] stands for another address space: entries of its own, frames of its own in frames[]. */
static u8 child[PAGES][4096] __attribute__((aligned(4096)));
static u8 frames[PAGES][4096] __attribute__((aligned(4096)));

OPERATION void settle(void)
{
    pte_settle();
    tlb_flush();
}

OPERATION void fork(void)
{
    for (u32 i = 0; i < PAGES; i++) {
        pte_later(pages[i], pte_make(pages[i], PTE_PRESENT));
        pte_later(child[i], pte_make(pages[i], PTE_PRESENT));
    }
    settle();
}

OPERATION void drop_child(void)
{
    for (u32 i = 0; i < PAGES; i++)
        pte_later(child[i], pte_make(child[i], 0));
    settle();
}

/* It faults: the kernel's turn. */
OPERATION void store(u8 *page)
{
    __asm__ volatile("movl $1f, %0; movb $1, %1; 1:" : "=m"(trap_resume), "=m"(*page));
    trap_resume = 0;
}

static void map(u8 *page, const u8 *frame)
{
    pte_change(page, pte_make(frame, PTE_PRESENT | PTE_WRITE));
    *(u8 volatile *)page = 1;
}

OPERATION void copy_page(void *to, const void *from)
{
    u32 n = WORDS;
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

OPERATION void zero_page(void *to)
{
    u32 n = WORDS;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

OPERATION void write_shared(u32 i)
{
    store(child[i]);
    copy_page(frames[i], pages[i]);
    map(child[i], frames[i]);
}

OPERATION void touch_new(u32 i)
{
    store(child[i]);
    zero_page(frames[i]);
    map(child[i], frames[i]);
}

OPERATION void write_own(u32 i)
{
    store(pages[i]);
    map(pages[i], pages[i]);
}

OPERATION u32 work(void)
{
    u32 sum = 0;
    LOOP(ITERATIONS, sum += *(u8 volatile *)&child[i_ % PAGES][i_ & 0xfff])
    return sum;
}

OPERATION void process(u32 n)
{
    while (n--) {
        fork();
        cr3_load();
        for (u32 i = 0; i < COPIED; i++)
            write_shared(i);
        drop_child();   /* exec */
        for (u32 i = 0; i < PAGES; i++)
            touch_new(i);
        work();
        drop_child();   /* exit */
        cr3_load();
        for (u32 i = 0; i < COPIED; i++)
            write_own(i);
    }
}

void guest_main(void)
{
    process(1);
    report_n("process", PROCESSES, cycles_of(process, PROCESSES), 0);
    set_all_pages(PTE_PRESENT | PTE_WRITE);
    tlb_flush();
}
