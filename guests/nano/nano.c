/* SPDX-License-Identifier: MIT */
/*
 * The nine nanobenchmarks with which Adams and Agesen compared binary translation and VT-x (ASPLOS 2006, section 6.3), in
 * 32-bit terms: CR0.TS stands for CR8, INT 0x80 for SYSCALL. A tenth, cr3write, is not theirs: it is what EPT spares. Each
 * line says what was done, how often, and the cycles of all of it together, less those of an empty loop, by the
 * guest's own time-stamp counter:
 *
 *     @nano syscall 1024 247808
 */
#include "kernel.h"

#define COUNT 1024u
#define PAGES 64u

static u8 pages[PAGES][4096] __attribute__((aligned(4096)));

/* Each does its operation n times, in the same loop as the empty one; noinline, so that all are called alike. */
#define OPERATION static __attribute__((noinline))
#define LOOP(n, body) for (u32 i_ = (n); i_; i_--) { body; __asm__ volatile("" : : : "memory"); }

OPERATION void do_nothing(u32 n) { LOOP(n, ) }
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

OPERATION u64 cycles_of(void (*loop)(u32), u32 n)
{
    u64 start = rdtsc();
    loop(n);
    return rdtsc() - start;
}

static void report(const char *operation, u64 cycles, u64 empty)
{
    print("@nano %s %u %U\n", operation, COUNT, cycles > empty ? cycles - empty : 0);
}

/* Once in advance, so that what happens only the first time (translation, hidden faults) is not in the number. */
static void measure(const char *operation, void (*loop)(u32))
{
    cycles_of(do_nothing, 16);
    cycles_of(loop, 16);
    u64 empty = cycles_of(do_nothing, COUNT);
    report(operation, cycles_of(loop, COUNT), empty);
}

static void measure_syscall(void)
{
    user_run(user_loops, 16);
    user_run(user_loops, COUNT);
    report("syscall", user_cycles[1], user_cycles[0]);
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

    touch_all_pages();
    measure("ptemod-same", do_pte_unchanged);
    measure_pte_changes();
    fpu_trap(0);
}
