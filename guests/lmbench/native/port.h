/* SPDX-License-Identifier: MIT */
/* The kernel on its machine: page tables, the switch between processes, the way in from ring 3. */
#ifndef LMBENCH_PORT_H
#define LMBENCH_PORT_H

enum { PORT_USER_CS = 0x1b, PORT_USER_DS = 0x23, PORT_USER_FLAGS = 2 };
void port_start(void);

/* --- entries of page tables --- */

static inline entry_t port_entry(const void *page, u32 bits) { return (u32)page | bits | PTE_USED; }
static inline entry_t port_root_entry(const void *table) { return (u32)table | PTE_PRESENT; }
static inline void *port_page(entry_t e) { return (void *)((u32)e & ~(PAGE - 1)); }

/* Of a table in use. All memory lies below 4 GiB: the upper half never changes. */
static inline void port_entry_set(entry_t *at, entry_t to) { *(u32 volatile *)at = to; }
static inline void port_flush_entries(void) { }
static inline void port_entry_set_now(u32 address, entry_t *at, entry_t to)
{
    _Bool was_present = *at & PTE_PRESENT;
    port_entry_set(at, to);
    if (was_present)
        tlb_flush_page((void *)address);
}

/* --- tables --- */

extern entry_t *kernel_root;
static inline void port_add_kernel(struct space *s, entry_t *(*table_new)(struct space *)) { s->table[0][0] = kernel_root[0]; }
static inline void port_table(entry_t *table) { }
static inline void port_seal(struct space *s) { }
static inline void port_unseal(struct space *s) { }

/* --- the processor --- */

extern entry_t *loaded_root;
extern u32 tss[];               /* guests/lib/native */
static inline u32 port_fault_address(void)
{
    u32 cr2;
    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    return cr2;
}
static inline void load_root(entry_t *root) { __asm__ volatile("mov %0, %%cr3" : : "r"(loaded_root = root) : "memory"); }
static inline void port_flush_tlb(void) { load_root(loaded_root); }
static inline void port_load_kernel(void) { load_root(kernel_root); }
static inline void port_switch(entry_t *root, void *stack)
{
    tss[1] = (u32)stack;        /* ESP0, SDM vol. 3, 8.2.1 */
    if (root != loaded_root)
        load_root(root);
}

#endif
