/* SPDX-License-Identifier: MIT */
/* The inline half of kernel.h on Xen: what was one instruction on a bare PC is a hypercall here, or a trap that Xen emulates. */
#ifndef GUEST_PLATFORM_H
#define GUEST_PLATFORM_H

#include "hypercall.h"

/* Three-level paging (SDM vol. 3, 4.4). Entries hold machine frames: the list says which one backs which page. */
typedef u64 pte_t;
#define PTE_PRESENT 1u
#define PTE_WRITE 2u
#define PTE_USER 4u
#define PTE_USED 0x60u  /* accessed and dirty, as kernels write entries that they are about to use */
#define VIRT_BASE 0xc0000000u
extern const u32 *machine_frame; /* [page number from VIRT_BASE] */

static inline pte_t pte_make(const void *page, u32 bits)
{
    return (u64)machine_frame[((u32)page - VIRT_BASE) >> 12] << 12 | bits | (bits & PTE_PRESENT ? PTE_USED : 0);
}

/* The tables are mapped read-only: Xen checks the entry and stores it. */
static inline void pte_write(const void *page, pte_t pte)
{
    hypercall4(__HYPERVISOR_update_va_mapping, page, pte, pte >> 32, UVMF_NONE);
}

/* A queue of entries: one hypercall for many of them. */
void pte_later(const void *page, pte_t pte);
void pte_settle(void);

static inline void pte_change(const void *page, pte_t pte)
{
    hypercall4(__HYPERVISOR_update_va_mapping, page, pte, pte >> 32, UVMF_INVLPG);
}

static inline void tlb_flush(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    hypercall4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

static inline void tlb_flush_page(const void *page)
{
    struct mmuext_op op = { .cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = (u32)page };
    hypercall4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

/* What Xen handed over, and the page that is shared with it: for programs that are for Xen only. */
extern const struct start_info *xen_start;
extern struct shared_info *const xen_shared;

extern u32 base_frame; /* machine frame of the page-table base */
static inline void cr3_load(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = base_frame };
    hypercall4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

/* In ring 1 this faults, and Xen emulates it. */
static inline u8 io_in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void fpu_trap(_Bool on) { hypercall1(__HYPERVISOR_fpu_taskswitch, on); }

static inline void io_out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

/* The prefix asks Xen for its own answer; the bare instruction would tell of the machine below. */
static inline void cpu_identify(void)
{
    u32 a = 0, b, c = 0, d;
    __asm__ volatile("ud2a; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static inline void monitor_call(void) { hypercall2(__HYPERVISOR_xen_version, 0, 0); }

static inline u64 msr_read(u32 msr)
{
    u64 value;
    __asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
    return value;
}
static inline void msr_write(u32 msr, u64 value) { __asm__ volatile("wrmsr" : : "A"(value), "c"(msr)); }

/* A paravirtual guest sees neither devices nor a local APIC, and only the frames that are its own. */
static inline void *device_memory(void) { return (void *)0; }
static inline _Bool page_at(const void *page, u32 mib) { return 0; }
static inline _Bool apic_start(void) { return 0; }
static inline void apic_timer(u32 cycles) { }
static inline void interrupts_enable(void) { }
static inline void interrupts_disable(void) { }
static inline void interrupts_let_in(void) { }
#define apic_interrupts 0u
static inline void apic_self_ipi(void) { }
static inline u32 apic_read_id(void) { return 0; }
static inline void apic_write_tpr(u32 value) { }

#endif
