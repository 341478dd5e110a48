/* SPDX-License-Identifier: MIT */
/* Lab 4: the port to Xen. handout.md says what is to be done; lib/native.c is what you port. */
#include "lab4.h"

#ifdef VIRT_BASE /* on a bare PC lib/native.c is in its place */

/*** begin solution ***/
#include <xen/event_channel.h>
#include <xen/io/console.h>

/* --- one queue of calls: a transition for all of them --- */

enum { CALLS = 24, UPDATES = 160 };
static struct multicall_entry call[CALLS];
static struct mmu_update update[UPDATES];
static u32 ncalls, nupdates;
static _Bool lazy, must_flush;

static void add_call(u32 op, u32 a, u32 b, u32 c, u32 d) { call[ncalls++] = (struct multicall_entry){ .op = op, .args = { a, b, c, d } }; }

static void add_mmuext(struct mmuext_op *op, u32 n) { add_call(__HYPERVISOR_mmuext_op, (u32)op, n, 0, DOMID_SELF); }

static void check_results(void)
{
    for (u32 i = 0; i < ncalls; i++)
        if (call[i].result)
            kernel_panic("Xen refuses a call");
}

static void submit(void)
{
    static struct mmuext_op flush = { .cmd = MMUEXT_TLB_FLUSH_LOCAL };
    if (nupdates)
        add_call(__HYPERVISOR_mmu_update, (u32)update, nupdates, 0, DOMID_SELF);
    if (must_flush)
        add_mmuext(&flush, 1);
    if (ncalls)
        hypercall2(__HYPERVISOR_multicall, call, ncalls);
    check_results();
    ncalls = nupdates = must_flush = 0;
}

static u64 machine(const void *page) { return (u64)machine_frame[((u32)page - VIRT_BASE) >> 12] << 12; }
static u32 frame(const void *page) { return machine_frame[((u32)page - VIRT_BASE) >> 12]; }

/* --- traps --- */

void page_fault_entry(void);
/*** instead ***
#include <xen/event_channel.h>
#include <xen/io/console.h>

void page_fault_entry(void);
*** end solution ***/

void port_start(void)
{
    /*** begin solution ***/
    static const struct trap_info table[] = { { 14, 0, FLAT_KERNEL_CS, (unsigned long)page_fault_entry }, { 0, 0, 0, 0 } };
    hypercall1(__HYPERVISOR_set_trap_table, table);
    /*** instead ***
    // your code here: Xen owns the IDT
    *** end solution ***/
}

u32 port_fault_address(void)
{
    /*** begin solution ***/
    return xen_shared->vcpu_info[0].arch.cr2;
    /*** instead ***
    return 0; // your code here
    *** end solution ***/
}

/*** begin solution ***/
/* --- spaces: PAE. table[0] level 3, [1] level 2 of the kernel's GiB, [2] level 2 of the user's, [3] level 1 --- */

static u64 *kernel_directory(void)
{
    const u64 *top = (const u64 *)xen_start->pt_base;
    return (u64 *)(VIRT_BASE + (machine_to_phys_mapping[top[VIRT_BASE >> 30] >> 12] << 12));
}

static void protect(const struct space *s, _Bool writable)
{
    for (u32 i = 0; i < SPACE_TABLES; i++) {
        u64 pte = machine(s->table[i]) | PTE_PRESENT | (writable ? PTE_WRITE : 0);
        add_call(__HYPERVISOR_update_va_mapping, (u32)s->table[i], pte, pte >> 32, i == SPACE_TABLES - 1 ? UVMF_TLB_FLUSH | UVMF_LOCAL : UVMF_NONE);
    }
}
/*** instead ***
*** end solution ***/

void port_space_create(struct space *s)
{
    /*** begin solution ***/
    u64 *l3 = (u64 *)s->table[0], *kernel = (u64 *)s->table[1], *user = (u64 *)s->table[2];
    for (u32 i = 0; i < 512; i++)
        kernel[i] = kernel_directory()[i];
    user[USER_BASE >> 21 & 511] = machine(s->table[3]) | PTE_PRESENT | PTE_WRITE | PTE_USER;
    l3[VIRT_BASE >> 30] = machine(kernel) | PTE_PRESENT;
    l3[USER_BASE >> 30] = machine(user) | PTE_PRESENT;
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L3_TABLE, .arg1.mfn = frame(l3) };
    protect(s, 0);
    add_mmuext(&pin, 1);
    submit();
    /*** instead ***
    (void)s; // your code here
    *** end solution ***/
}

void port_space_switch(struct space *s)
{
    /*** begin solution ***/
    struct mmuext_op op = { .cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = s ? frame(s->table[0]) : base_frame };
    hypercall4(__HYPERVISOR_mmuext_op, &op, 1, 0, DOMID_SELF);
    /*** instead ***
    (void)s; // your code here
    *** end solution ***/
}

void port_space_destroy(struct space *s)
{
    /*** begin solution ***/
    struct mmuext_op unpin = { .cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = frame(s->table[0]) };
    add_mmuext(&unpin, 1);
    protect(s, 1);
    submit();
    /*** instead ***
    (void)s; // your code here
    *** end solution ***/
}

void port_space_map(struct space *s, const struct mapping *m, u32 n)
{
    /*** begin solution ***/
    for (u32 i = 0; i < n; i++) {
        if (nupdates == UPDATES)
            submit();
        u64 pte = m[i].frame ? machine(m[i].frame) | PTE_PRESENT | PTE_USER | (m[i].writable ? PTE_WRITE : 0) : 0;
        update[nupdates++] = (struct mmu_update){ machine(s->table[3]) + m[i].page * 8 + MMU_NORMAL_PT_UPDATE, pte };
        must_flush |= s->current;
    }
    if (!lazy)
        submit();
    /*** instead ***
    (void)s, (void)m, (void)n; // your code here
    *** end solution ***/
}

void port_lazy_begin(void)
{
    /*** begin solution ***/
    lazy = 1;
    /*** instead ***
    *** end solution ***/
}

void port_lazy_end(void)
{
    /*** begin solution ***/
    lazy = 0;
    submit();
    /*** instead ***
    *** end solution ***/
}

/*** begin solution ***/
/* --- the console: a ring of bytes that is shared with domain 0, and an event channel that says "look" --- */

static void notify(void)
{
    struct evtchn_send send = { xen_start->console.domU.evtchn };
    hypercall2(__HYPERVISOR_event_channel_op, EVTCHNOP_send, &send);
}
/*** instead ***
*** end solution ***/

void port_console(const char *text, u32 len)
{
    /*** begin solution ***/
    struct xencons_interface *ring = (void *)(VIRT_BASE + (machine_to_phys_mapping[xen_start->console.domU.mfn] << 12));
    XENCONS_RING_IDX volatile *consumed = &ring->out_cons;
    for (u32 i = 0; i < len; i++) {
        while (ring->out_prod - *consumed == sizeof ring->out)
            notify();
        ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = text[i];
        __asm__ volatile("" : : : "memory"); /* the byte before the index */
        ring->out_prod++;
    }
    notify();
    /*** instead ***
    (void)text, (void)len; // your code here
    *** end solution ***/
}

#endif
