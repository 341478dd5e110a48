/* SPDX-License-Identifier: MIT */
/* The inline half of kernel.h on a bare PC: here each of these is one instruction, or two. */
#ifndef GUEST_PLATFORM_H
#define GUEST_PLATFORM_H

/* Two-level paging (SDM vol. 3, 4.3): the first 4 MiB are mapped one to one by this one table. */
typedef u32 pte_t;
#define PTE_PRESENT 1u
#define PTE_WRITE 2u
#define PTE_USER 4u
extern pte_t page_table[1024];

static inline pte_t pte_make(const void *page, u32 bits) { return (u32)page | bits; }

static inline void pte_write(const void *page, pte_t pte)
{
    ((pte_t volatile *)page_table)[(u32)page >> 12] = pte;
}

extern u32 page_directory[1024];
static inline void cr3_load(void) { __asm__ volatile("mov %0, %%cr3" : : "r"(page_directory) : "memory"); }
static inline void tlb_flush(void) { cr3_load(); }

static inline u8 io_in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void io_out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void io_out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }

/* The value that CR0 has without TS; CR0 is written, not read and written, as kernels with a copy of it do. */
extern u32 cr0_without_ts;
#define CR0_TS 8u
static inline void fpu_trap(_Bool on)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0_without_ts | (on ? CR0_TS : 0)) : "memory");
}

#endif
