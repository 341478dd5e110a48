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
#define VIRT_BASE 0xc0000000u
extern const u32 *machine_frame; /* [page number from VIRT_BASE] */

static inline pte_t pte_make(const void *page, u32 bits)
{
    return (u64)machine_frame[((u32)page - VIRT_BASE) >> 12] << 12 | bits;
}

/* The tables are mapped read-only: Xen checks the entry and stores it. */
static inline void pte_write(const void *page, pte_t pte)
{
    hypercall4(__HYPERVISOR_update_va_mapping, page, pte, pte >> 32, UVMF_NONE);
}

static inline void tlb_flush(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    hypercall4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
}

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

#endif
