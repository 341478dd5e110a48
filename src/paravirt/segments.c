/* SPDX-License-Identifier: MIT */
/*
 * Segments: the guest owns most of the GDT and all of its LDT, but not what a descriptor may say.
 *
 * A 32-bit guest kernel runs in ring 1, which paging takes for supervisor. What keeps it out of the hypervisor's
 * memory is the segment limit: every descriptor ends below GUEST_SEGMENT_END and has a privilege of 1 to 3.
 */
#include <string.h>

#include "paravirt/domain.h"

/* GDT or LDT entries that a guest's call gate may lead to: anything of its own, or the flat ring-1 code. */
static bool gate_target_ok(u16 selector)
{
    return selector >> 3 < FIRST_RESERVED_GDT_ENTRY || selector & 4 || selector == FLAT_RING1_CS;
}

static u32 raw_base(u64 raw) { return (raw >> 16 & 0xffffff) | (raw >> 56) << 24; }
static u64 raw_limit(u64 raw)
{
    u64 limit = (raw & 0xffff) | (raw >> 32 & 0xf0000);
    return raw & BIT(55) ? limit << 12 | 0xfff : limit;
}

/* Cut the limit so that the segment's last byte is below the hypervisor. */
static bool narrow_limit(u64 *raw)
{
    u64 base = raw_base(*raw), limit = raw_limit(*raw);
    if (base >= GUEST_SEGMENT_END)
        return false;
    u64 most = GUEST_SEGMENT_END - 1 - base;
    if (limit <= most)
        return true;
    if (*raw & BIT(55)) {
        if (most < 0xfff)
            return false;
        most = (most - 0xfff) >> 12; /* a limit in pages includes all of its last page */
    }
    *raw = (*raw & ~(u64)0x000f00000000ffff) | (most & 0xffff) | (most >> 16) << 48;
    return true;
}

#define RAW_TYPE(raw) ((raw) >> 40 & 0xf)
#define CALL_GATE_32 0xc

bool descriptor_sanitize(u64 *raw)
{
    if (!(*raw & BIT(47)))
        return true; /* not present: any use of it faults */
    if ((*raw >> 45 & 3) == 0)
        *raw |= (u64)1 << 45; /* ring 0 becomes ring 1, as for a kernel that believes itself in ring 0 */
    if (!(*raw & BIT(44)))
        return RAW_TYPE(*raw) == 0 || (RAW_TYPE(*raw) == CALL_GATE_32 && gate_target_ok(*raw >> 16));
    bool code = RAW_TYPE(*raw) & SEG_CODE;
    if (!code && RAW_TYPE(*raw) & SEG_EXPAND_DOWN)
        return false; /* would reach upwards from its limit to 4 GiB */
    if (*raw & BIT(53))
        return false; /* 64-bit code */
    return narrow_limit(raw);
}

/* --- GDT --- */

static void gdt_release(struct domain *d)
{
    for (unsigned i = 0; i < d->v.gdt_pages; i++) {
        private_map(d, GDT_VIRT + i * PAGE_SIZE, d->zero_mfn);
        frame_put_type(d, d->v.gdt_mfn[i]);
    }
    d->v.gdt_pages = 0;
}

static void put_all(struct domain *d, const u32 *mfn, unsigned n)
{
    while (n--)
        frame_put_type(d, mfn[n]);
}

s32 do_set_gdt(struct domain *d, const u32 arg[6])
{
    u32 entries = arg[1], mfn[FIRST_RESERVED_GDT_PAGE];
    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -XEN_EINVAL;
    unsigned pages = (entries + 511) / 512;
    if (copy_from_guest(d, mfn, arg[0], pages * sizeof *mfn) < 0)
        return -XEN_EFAULT;
    for (unsigned i = 0; i < pages; i++) {
        int rc = frame_get_type(d, mfn[i], TYPE_SEGDESC);
        if (rc < 0) {
            put_all(d, mfn, i);
            return rc;
        }
    }
    gdt_release(d);
    memcpy(d->v.gdt_mfn, mfn, pages * sizeof *mfn);
    d->v.gdt_pages = pages;
    for (unsigned i = 0; i < pages; i++)
        private_map(d, GDT_VIRT + i * PAGE_SIZE, mfn[i]);
    return 0;
}

s32 do_update_descriptor(struct domain *d, const u32 arg[6])
{
    u64 at = arg[0] | (u64)arg[1] << 32, raw = arg[2] | (u64)arg[3] << 32;
    struct frame *f = frame_of_guest(d, at >> PAGE_SHIFT);
    if (at & 7 || !f || !descriptor_sanitize(&raw))
        return -XEN_EINVAL;
    enum frame_type type = f->type == TYPE_SEGDESC && f->type_count ? TYPE_SEGDESC : TYPE_WRITABLE;
    int rc = frame_get_type(d, at >> PAGE_SHIFT, type);
    if (rc < 0)
        return rc;
    physmap_store(&d->vm->map, at, 8, raw);
    frame_put_type(d, at >> PAGE_SHIFT);
    return 0;
}

/* --- LDT: its pages are mapped when they are touched, because the guest's own mapping may come later --- */

void ldt_unmap(struct domain *d)
{
    for (unsigned i = 0; i < ARRAY_LEN(d->v.ldt_mfn); i++) {
        u32 mfn = d->v.ldt_mfn[i];
        if (!mfn)
            continue;
        d->v.ldt_mfn[i] = 0;
        private_map(d, LDT_VIRT + i * PAGE_SIZE, 0);
        frame_put_type(d, mfn);
    }
}

bool ldt_fault(struct domain *d, u32 gva)
{
    unsigned page = (gva - LDT_VIRT) >> PAGE_SHIFT, slot;
    u32 l1;
    if (page * 512 >= d->v.ldt_ents || table_find_l1(d, d->v.ldt_base + page * PAGE_SIZE, &l1, &slot) < 0)
        return false;
    u64 pte = physmap_load(&d->vm->map, maddr(l1) + slot * 8, 8);
    u32 mfn = pte >> PAGE_SHIFT;
    if (!(pte & PTE_P) || frame_get_type(d, mfn, TYPE_SEGDESC) < 0)
        return false;
    charge(d, EV_PV_LDT_FAULT);
    d->v.ldt_mfn[page] = mfn;
    private_map(d, LDT_VIRT + page * PAGE_SIZE, mfn);
    return true;
}

/* --- the real TSS and IDT: what the processor itself needs for a trap that goes straight to ring 1 --- */

void tss_set_stack(struct domain *d)
{
    memcpy(d->tss + 12, &d->v.kernel_sp, 4);    /* ESP1 and SS1, SDM vol. 3, figure 7-2 */
    memcpy(d->tss + 16, &d->v.kernel_ss, 2);
}

/* A trap gate cannot set the event mask, so only a handler that does not ask for that may be reached directly. */
void direct_trap_set(struct domain *d)
{
    const trap_info32 *t = &d->v.trap[0x80];
    u64 gate = 0;
    if (direct_trap(d))
        gate = (t->address & 0xffff) | (u64)t->cs << 16 | (u64)(0x8f | (t->flags & 3) << 5) << 40 | (u64)(t->address >> 16) << 48;
    memcpy(d->idt + 0x80 * 8, &gate, 8);
}

s32 do_stack_switch(struct domain *d, const u32 arg[6])
{
    d->v.kernel_ss = arg[0] & 3 ? arg[0] : arg[0] | 1;
    d->v.kernel_sp = arg[1];
    tss_set_stack(d);
    return 0;
}
