/* SPDX-License-Identifier: MIT */
/* The port to a bare PC: two-level tables (SDM vol. 3, 4.3), ring 0, COM1. On Xen this file is empty. */
#include "lab4.h"

#ifndef VIRT_BASE

enum { VECTOR_PF = 14, KERNEL_CODE = 8 };
void page_fault_entry(void);

void port_start(void)
{
    struct __attribute__((packed)) { u16 limit; u32 base; } r;
    u32 entry = (u32)page_fault_entry;
    __asm__ volatile("sidt %0" : "=m"(r));
    ((u64 *)r.base)[VECTOR_PF] = (entry & 0xffff) | KERNEL_CODE << 16 | (u64)0x8e00 << 32 | (u64)(entry >> 16) << 48;
}

u32 port_fault_address(void)
{
    u32 cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}

/* Two of the pages are enough: a directory, and one table for the user's pages. */
void port_space_create(struct space *s)
{
    u32 *directory = (u32 *)s->table[0];
    directory[0] = page_directory[0];
    directory[USER_BASE >> 22] = (u32)s->table[1] | PTE_PRESENT | PTE_WRITE | PTE_USER;
}

void port_space_switch(struct space *s)
{
    u32 directory = s ? (u32)s->table[0] : (u32)page_directory;
    __asm__ volatile("mov %0, %%cr3" : : "r"(directory) : "memory");
}

void port_space_destroy(struct space *s) { (void)s; }

void port_space_map(struct space *s, const struct mapping *m, u32 n)
{
    u32 volatile *table = (u32 *)s->table[1];
    for (u32 i = 0; i < n; i++) {
        table[m[i].page] = m[i].frame ? (u32)m[i].frame | PTE_PRESENT | PTE_USER | (m[i].writable ? PTE_WRITE : 0) : 0;
        if (s->current)
            tlb_flush_page((void *)(USER_BASE + m[i].page * 4096));
    }
}

void port_lazy_begin(void) { }
void port_lazy_end(void) { }

void port_console(const char *text, u32 len)
{
    enum { COM1 = 0x3f8, LSR = COM1 + 5, THR_EMPTY = 0x20 };
    for (u32 i = 0; i < len; i++) {
        while (!(io_in8(LSR) & THR_EMPTY))
            ;
        io_out8(COM1, text[i]);
    }
}

#endif
