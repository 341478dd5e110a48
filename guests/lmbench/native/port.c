/* SPDX-License-Identifier: MIT */
#include "os.h"

entry_t *kernel_root, *loaded_root;

/* The kernel's memory one to one, by tables of three levels. */
enum { KERNEL_TABLES = 8 };
static entry_t root[ENTRIES] __attribute__((aligned(PAGE))), directory[ENTRIES] __attribute__((aligned(PAGE)));
static entry_t table[KERNEL_TABLES][ENTRIES] __attribute__((aligned(PAGE)));

static void tables_start(void)
{
    kernel_root = root;
    root[0] = port_root_entry(directory);
    for (u32 i = 0; i < KERNEL_TABLES; i++) {
        for (u32 n = 0; n < ENTRIES; n++)
            table[i][n] = port_entry((void *)((i * ENTRIES + n) * PAGE), PTE_PRESENT | PTE_WRITE);
        directory[i] = port_entry(table[i], PTE_PRESENT | PTE_WRITE);
    }
}

/* From two levels to three only with paging off (SDM vol. 3, 4.1.2). */
static void tables_load(void)
{
    enum { CR4_PAE = 0x20 };
    u32 with = cr0_without_ts, without = with & 0x7fffffff, cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr0; mov %1, %%cr4; mov %2, %%cr3; mov %3, %%cr0"
                     : : "r"(without), "r"(cr4 | CR4_PAE), "r"(loaded_root = kernel_root), "r"(with) : "memory");
}

/* Our entries instead of those of guests/lib. */
static void gate_redirect(u32 vector, void (*entry)(void))
{
    struct __attribute__((packed)) { u16 limit; u32 base; } idt;
    __asm__("sidt %0" : "=m"(idt));
    u16 *gate = (u16 *)(idt.base + vector * 8);
    gate[0] = (u32)entry;
    gate[3] = (u32)entry >> 16;
}

void port_start(void)
{
    gate_redirect(0x80, enter_call);
    gate_redirect(14, enter_fault);
    tables_start();
    tables_load();
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(PORT_USER_DS)); /* flat, and good in both rings */
}
