/* SPDX-License-Identifier: MIT */
#include "os.h"

static entry_t *loaded_root;

/* --- what Xen is asked for, together -------------------------------------------------------------------- */

enum { UPDATES = 128, CALLS = 4 };
static struct mmu_update update[UPDATES];
static u32 updates;

static struct multicall_entry call_update(u32 n) { return (struct multicall_entry){ __HYPERVISOR_mmu_update, 0, { (u32)update, n, 0, DOMID_SELF } }; }
static struct multicall_entry call_mmuext(struct mmuext_op *op) { return (struct multicall_entry){ __HYPERVISOR_mmuext_op, 0, { (u32)op, 1, 0, DOMID_SELF } }; }

static void multicall(struct multicall_entry *call, u32 n)
{
    hypercall2(__HYPERVISOR_multicall, call, n);
    for (u32 i = 0; i < n; i++)
        if ((int)call[i].result < 0)
            kernel_panic("Xen refused");
}

void port_flush_entries(void)
{
    if (updates && hypercall4(__HYPERVISOR_mmu_update, update, updates, 0, DOMID_SELF) < 0)
        kernel_panic("Xen refused an entry");
    updates = 0;
}

void port_entry_set(entry_t *at, entry_t to)
{
    if (updates == UPDATES)
        port_flush_entries();
    update[updates++] = (struct mmu_update){ machine_address(at) | MMU_NORMAL_PT_UPDATE, to };
}

/* --- tables --------------------------------------------------------------------------------------------- */

/* The entry that maps a page of the kernel's own: all spaces share these tables. */
static entry_t *kernel_entry(const void *page)
{
    const entry_t *root = (void *)xen_start->pt_base, *directory = port_page(root[(u32)page >> 30]);
    return (entry_t *)port_page(directory[(u32)page >> 21 & (ENTRIES - 1)]) + ((u32)page >> 12 & (ENTRIES - 1));
}

static void protect(entry_t *table, _Bool read_only)
{
    port_entry_set(kernel_entry(table), port_entry(table, PTE_PRESENT | (read_only ? 0 : PTE_WRITE)));
}

/* The directory of the last GiB, where Xen is too, belongs to one space only. */
void port_add_kernel(struct space *s, entry_t *(*table_new)(struct space *))
{
    const entry_t *root = (void *)xen_start->pt_base;
    entry_t *directory = table_new(s);
    copy_words(directory, port_page(root[3]), PAGE);
    s->table[0][3] = port_root_entry(directory);
}

void port_table(entry_t *table) { protect(table, 1); }

static u32 root_frame(const entry_t *root) { return machine_address(root) >> 12; }

void port_seal(struct space *s)
{
    port_flush_entries();
    for (u32 i = 0; i < s->ntables; i++)
        protect(s->table[i], 1);
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L3_TABLE, .arg1.mfn = root_frame(s->table[0]) };
    struct multicall_entry call[] = { call_update(updates), call_mmuext(&pin) };
    updates = 0;
    multicall(call, 2);
}

void port_unseal(struct space *s)
{
    port_flush_entries();
    for (u32 i = 0; i < s->ntables; i++)
        protect(s->table[i], 0);
    struct mmuext_op unpin = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = root_frame(s->table[0]) }, flush = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    struct multicall_entry call[] = { call_mmuext(&unpin), call_update(updates), call_mmuext(&flush) };
    updates = 0;
    multicall(call, 3);
}

/* --- the processor -------------------------------------------------------------------------------------- */

void port_load_kernel(void)
{
    loaded_root = (entry_t *)xen_start->pt_base;
    cr3_load();
}

void port_switch(entry_t *root, void *stack)
{
    struct mmuext_op base = { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = root_frame(root) };
    struct multicall_entry call[] = { { __HYPERVISOR_stack_switch, 0, { FLAT_KERNEL_SS, (u32)stack } }, call_mmuext(&base) };
    multicall(call, root == loaded_root ? 1 : 2);
    loaded_root = root;
}

void port_start(void)
{
    static const struct trap_info traps[] = {
        { 14, 0, FLAT_KERNEL_CS, (unsigned long)enter_fault },
        { 0x80, 3, FLAT_KERNEL_CS, (unsigned long)enter_call }, /* straight from ring 3 to ring 1 */
        { 0, 0, 0, 0 },
    };
    hypercall1(__HYPERVISOR_set_trap_table, traps);
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(PORT_USER_DS)); /* flat, and good in both rings */
}
