/* SPDX-License-Identifier: MIT */
/* The kernel on its machine: page tables, the switch between processes, the way in from ring 3. */
#ifndef LMBENCH_PORT_H
#define LMBENCH_PORT_H

enum { PORT_USER_CS = FLAT_USER_CS, PORT_USER_DS = FLAT_USER_DS, PORT_USER_FLAGS = 2 };
void port_start(void);

/* --- entries of page tables --- */

static inline u64 machine_address(const void *at) { return (u64)machine_frame[((u32)at - VIRT_BASE) >> 12] << 12 | ((u32)at & (PAGE - 1)); }
static inline entry_t port_entry(const void *page, u32 bits) { return machine_address(page) | bits | PTE_USED; }
static inline entry_t port_root_entry(const void *table) { return machine_address(table) | PTE_PRESENT; }
static inline void *port_page(entry_t e) { return (void *)(VIRT_BASE + (machine_to_phys_mapping[(u32)(e >> 12)] << 12)); }

/* Of a table in use: Xen is asked, for many at once. */
void port_entry_set(entry_t *at, entry_t to);
void port_flush_entries(void);
static inline void port_entry_set_now(u32 address, entry_t *at, entry_t to)
{
    _Bool was_present = *at & PTE_PRESENT;
    hypercall4(__HYPERVISOR_update_va_mapping, address, to, to >> 32, was_present ? UVMF_INVLPG | UVMF_LOCAL : UVMF_NONE);
}

/* --- tables: the guest may not write to what the processor walks --- */

void port_add_kernel(struct space *s, entry_t *(*table_new)(struct space *));
void port_table(entry_t *table);
void port_seal(struct space *s);
void port_unseal(struct space *s);

/* --- the processor --- */

static inline u32 port_fault_address(void) { return xen_shared->vcpu_info[0].arch.cr2; }
static inline void port_flush_tlb(void) { tlb_flush(); }
void port_load_kernel(void);
void port_switch(entry_t *root, void *stack);

#endif
