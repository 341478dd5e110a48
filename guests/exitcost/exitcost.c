/* SPDX-License-Identifier: MIT */
/*
 * What each kind of exit costs, one at a time. On hardware assist these are VM exits; on the other engines the same operations are
 * emulated in the cache, bounced, or hypercalls, and on the bare machine they are instructions. A line each, as measure.h
 * prints it; what an engine's guest cannot do at all is said without the '@'.
 */
#define PROGRAM "exitcost"
#include "measure.h"

enum { KERNEL_PORT = 0x21 /* mask of the first PIC */, USER_PORT = 0x80 /* POST */, MSR_PAT = 0x277, FIRST_TOUCHES = 32, FAR_MIB = 16, WALKS = 256 };

static void *device;

/* --- instructions --- */

OPERATION void do_cpuid(u32 n) { LOOP(n, cpu_identify()) }
OPERATION void do_monitor_call(u32 n) { LOOP(n, monitor_call()) }
OPERATION void do_in_kernel(u32 n) { LOOP(n, io_in8(KERNEL_PORT)) }
OPERATION void do_out_kernel(u32 n) { LOOP(n, io_out8(KERNEL_PORT, 0xff)) }
OPERATION void do_in_user(u32 n) { LOOP(n, io_in8(USER_PORT)) }
OPERATION void do_out_user(u32 n) { LOOP(n, io_out8(USER_PORT, 0)) }
OPERATION void do_mmio(u32 n) { LOOP(n, *(u8 volatile *)device) }
OPERATION void do_rdmsr(u32 n) { LOOP(n, msr_read(MSR_PAT)) }
OPERATION void do_cr3_write(u32 n) { LOOP(n, cr3_load()) }

OPERATION void do_wrmsr(u32 n)
{
    u64 same = msr_read(MSR_PAT);
    LOOP(n, msr_write(MSR_PAT, same))
}

/* --- memory --- */

/* Pages of guest-physical memory that nobody has touched yet: the guest's own tables map them, the monitor's do not. */
static void measure_first_touch(void)
{
    if (!page_at(pages[0], FAR_MIB)) {
        print("exitcost: no first-touch: all memory of this guest is there from the start\n");
        return;
    }
    u64 cycles = 0, empty = 0;
    for (u32 i = 0; i < FIRST_TOUCHES; i++) {
        page_at(pages[0], FAR_MIB + 2 * i); /* 2 MiB apart: the monitor may use large pages */
        tlb_flush();
        u64 t0 = rdtsc();
        *(u8 volatile *)pages[0] = 1;
        u64 t1 = rdtsc();
        *(u8 volatile *)pages[0] = 2;
        cycles += t1 - t0;
        empty += rdtsc() - t1;
    }
    pte_write(pages[0], pte_make(pages[0], PTE_PRESENT | PTE_WRITE));
    tlb_flush();
    report_n("first-touch", FIRST_TOUCHES, cycles, empty);
}

/* After a switch of address spaces every translation must be walked for again; after an exit, only without VPID. */
static void measure_walks(const char *operation, void (*between)(u32))
{
    u64 cycles = 0, empty = 0;
    touch_all_pages();
    for (u32 round = 0; round < WALKS / PAGES; round++) {
        touch_all_pages();
        u64 t0 = rdtsc();
        touch_all_pages();
        u64 t1 = rdtsc();
        between(1);
        u64 t2 = rdtsc();
        touch_all_pages();
        cycles += rdtsc() - t2;
        empty += t1 - t0;
    }
    report_n(operation, WALKS, cycles, empty);
}

/* --- interrupts --- */

static inline void let_in(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }

OPERATION void do_self_ipi(u32 n) { LOOP(n, apic_self_ipi(); let_in()) }
/* The interrupt waits already when HLT comes: no idle time is in the number. */
OPERATION void do_self_ipi_hlt(u32 n) { LOOP(n, apic_self_ipi(); kernel_idle()) }
OPERATION void do_apic_id(u32 n) { LOOP(n, apic_read_id()) }
OPERATION void do_apic_tpr(u32 n) { LOOP(n, apic_write_tpr(0)) }

static void measure_apic(void)
{
    if (!apic_start()) {
        print("exitcost: no apic-id, apic-tpr, self-ipi, self-ipi-hlt: this guest has no local APIC\n");
        return;
    }
    measure("apic-id", do_apic_id);
    measure("apic-tpr", do_apic_tpr);
    measure("self-ipi", do_self_ipi);
    measure("self-ipi-hlt", do_self_ipi_hlt);
}

static void measure_device(void)
{
    device = device_memory();
    if (device)
        measure("mmio", do_mmio);
    else
        print("exitcost: no mmio: this guest sees no devices\n");
}

void guest_main(void)
{
    measure("cpuid", do_cpuid);
    measure("vmcall", do_monitor_call);
    trap_resume = 0;
    measure("in-kernel", do_in_kernel);
    measure("out-kernel", do_out_kernel);
    measure("in-user", do_in_user);
    measure("out-user", do_out_user);
    measure_device();
    measure("rdmsr", do_rdmsr);
    measure("wrmsr", do_wrmsr);
    measure("cr3write", do_cr3_write);
    measure_ptes();
    measure_first_touch();
    measure_walks("walk-cr3", do_cr3_write);
    measure_walks("walk-exit", do_cpuid);
    measure_apic();
}
