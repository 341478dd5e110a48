/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries of a PAE guest: what each level may hold, and the references that an entry takes.
 *
 *     L1 entry   any frame of the domain; a writable one takes a reference of TYPE_WRITABLE
 *     L2 entry   a frame of TYPE_L1
 *     L3 entry   a frame of TYPE_L2, in slot 3 TYPE_L2_XEN
 *
 * Depth is bounded by the types: an L2 never refers to an L2.
 */
#include <assert.h>
#include <string.h>

#include "paravirt/domain.h"

#define PTE_ADDR 0x000ffffffffff000ull
#define PTE_NX BIT(63)
#define PTE_FLAGS_HIGH (~PTE_ADDR & ~(u64)0xfff & ~PTE_NX)
#define PTE_CACHE 0x18          /* PWT, PCD */
#define PTE_G 0x100
#define L1_DISALLOWED (PTE_FLAGS_HIGH | PTE_PSE /* here PAT */ | PTE_CACHE)
#define L2_DISALLOWED (PTE_FLAGS_HIGH | PTE_PSE | PTE_CACHE | PTE_G)
/* RW, US, A and D must be zero for the processor (SDM vol. 3, table 4-8), but kernels that grew up on a 64-bit Xen set them:
 * they are left out of the copy that CR3 points to. */
#define L3_DISALLOWED (PTE_FLAGS_HIGH | PTE_NX | PTE_PSE | PTE_CACHE | PTE_G)

static u32 pte_mfn(u64 pte)
{
    u64 mfn = (pte & PTE_ADDR) >> PAGE_SHIFT;
    return mfn <= UINT32_MAX ? mfn : UINT32_MAX;
}

static u64 nx_disallowed(struct domain *d)
{
    return domain_cpu(d)->state.efer & EFER_NXE ? 0 : PTE_NX;
}

static int l1_get(struct domain *d, u64 pte)
{
    if (pte & (L1_DISALLOWED | nx_disallowed(d)))
        return -XEN_EINVAL;
    struct frame *f = frame_of_guest(d, pte_mfn(pte));
    if (!f)
        return -XEN_EINVAL;
    if (pte & PTE_RW)
        return frame_get_type(d, pte_mfn(pte), TYPE_WRITABLE);
    if (f->refs == UINT32_MAX)
        return -XEN_EBUSY;
    f->refs++;
    return 0;
}

/* Another domain's frame is not counted here: the grant by which it is mapped holds it. */
static void l1_put(struct domain *d, u64 pte)
{
    if (mfn_is_foreign(pte_mfn(pte)))
        return;
    if (pte & PTE_RW)
        frame_put_type(d, pte_mfn(pte));
    else
        frame_put(d, pte_mfn(pte));
}

static enum frame_type child_type(enum frame_type type, unsigned slot)
{
    if (type != TYPE_L3)
        return TYPE_L1;
    return slot == 3 ? TYPE_L2_XEN : TYPE_L2;
}

/* Take what a present entry of a table of that type relies on. */
static int entry_get(struct domain *d, enum frame_type type, unsigned slot, u64 pte)
{
    if (!(pte & PTE_P))
        return 0;
    if (type == TYPE_L1)
        return l1_get(d, pte);
    if (pte & (type == TYPE_L3 ? L3_DISALLOWED : L2_DISALLOWED | nx_disallowed(d)))
        return -XEN_EINVAL;
    return frame_get_type(d, pte_mfn(pte), child_type(type, slot));
}

static void entry_put(struct domain *d, enum frame_type type, u64 pte)
{
    if (!(pte & PTE_P))
        return;
    if (type == TYPE_L1)
        l1_put(d, pte);
    else
        frame_put_type(d, pte_mfn(pte));
}

/* How many entries of such a table are the guest's. */
static unsigned guest_slots(enum frame_type type)
{
    return type == TYPE_L3 ? 4 : type == TYPE_L2_XEN ? XEN_FIRST_L2_SLOT : PTES;
}

static void release_slots(struct domain *d, u32 mfn, enum frame_type type, unsigned slots)
{
    const u64 *table = (const u64 *)frame_hva(d, mfn);
    for (unsigned i = 0; i < slots; i++)
        entry_put(d, type, table[i]);
}

void table_release(struct domain *d, u32 mfn, enum frame_type type)
{
    release_slots(d, mfn, type, guest_slots(type));
}

/* Whatever the guest wrote into Xen's slots is replaced. */
static void install_xen_slots(struct domain *d, u32 mfn)
{
    u64 *table = (u64 *)frame_hva(d, mfn);
    memcpy(table + XEN_FIRST_L2_SLOT, d->xen_l2, sizeof d->xen_l2);
    physmap_written(&d->vm->map, maddr(mfn), PAGE_SIZE);
}

int table_validate(struct domain *d, u32 mfn, enum frame_type type)
{
    const u64 *table = (const u64 *)frame_hva(d, mfn);
    if (type == TYPE_L3 && !(table[3] & PTE_P))
        return -XEN_EINVAL; /* Xen's entries would be missing */
    for (unsigned i = 0; i < guest_slots(type); i++) {
        int rc = entry_get(d, type, i, table[i]);
        if (rc < 0) {
            release_slots(d, mfn, type, i);
            return rc;
        }
    }
    if (type == TYPE_L2_XEN)
        install_xen_slots(d, mfn);
    return 0;
}

/* The same frame with the same right to write: nothing to count. */
static bool same_references(enum frame_type type, u64 old, u64 pte)
{
    return old & pte & PTE_P && !((old ^ pte) & (PTE_ADDR | (type == TYPE_L1 ? PTE_RW : 0)));
}

static bool flags_allowed(struct domain *d, enum frame_type type, u64 pte)
{
    u64 no = type == TYPE_L1 ? L1_DISALLOWED : type == TYPE_L3 ? L3_DISALLOWED : L2_DISALLOWED;
    return !(pte & (no | (type == TYPE_L3 ? 0 : nx_disallowed(d))));
}

static void entry_store(struct domain *d, u32 mfn, unsigned slot, u64 pte)
{
    gpa_t at = maddr(mfn) + slot * 8;
    u8 *p = physmap_ptr(&d->vm->map, at, 8);
    memcpy(p, &pte, 8);
    physmap_written(&d->vm->map, at, 8);
}

/* The processor holds the four entries of a PAE L3 inside: load them again (SDM vol. 3, 4.4.1). */
static void l3_reload(struct domain *d, u32 mfn)
{
    if (mfn == d->v.base_mfn)
        base_switch(d, mfn);
}

int table_write(struct domain *d, u32 mfn, unsigned slot, u64 pte, bool keep_ad)
{
    enum frame_type type = d->frame[mfn].type;
    u64 old;
    memcpy(&old, frame_hva(d, mfn) + slot * 8, 8);
    if (slot >= guest_slots(type) || (type == TYPE_L3 && slot == 3))
        return -XEN_EINVAL;
    charge(d, EV_PV_PT_UPDATE);
    if (keep_ad && type == TYPE_L1)
        pte |= old & (PTE_A | PTE_D);
    if (same_references(type, old, pte)) {
        if (!flags_allowed(d, type, pte))
            return -XEN_EINVAL;
        entry_store(d, mfn, slot, pte);
        return 0;
    }
    int rc = entry_get(d, type, slot, pte);
    if (rc < 0)
        return rc;
    entry_store(d, mfn, slot, pte);
    entry_put(d, type, old);
    if (type == TYPE_L3)
        l3_reload(d, mfn);
    return 0;
}

void table_write_foreign(struct domain *d, u32 mfn, unsigned slot, u64 pte)
{
    u64 old;
    memcpy(&old, frame_hva(d, mfn) + slot * 8, 8);
    charge(d, EV_PV_PT_UPDATE);
    entry_store(d, mfn, slot, pte);
    entry_put(d, TYPE_L1, old);
}

static u64 entry_read(struct domain *d, u32 mfn, unsigned slot)
{
    u64 pte;
    memcpy(&pte, frame_hva(d, mfn) + slot * 8, 8);
    return pte;
}

int table_find_l1(struct domain *d, u32 gva, u32 *mfn, unsigned *slot)
{
    u64 l3e = entry_read(d, d->v.base_mfn, gva >> 30);
    if (!(l3e & PTE_P))
        return -XEN_EINVAL;
    u64 l2e = entry_read(d, pte_mfn(l3e), gva >> 21 & (PTES - 1));
    if (!(l2e & PTE_P) || gva >= XEN_VIRT_START)
        return -XEN_EINVAL;
    *mfn = pte_mfn(l2e);
    *slot = gva >> PAGE_SHIFT & (PTES - 1);
    return 0;
}

void tlb_flush(struct domain *d)
{
    charge(d, EV_PV_TLB_FLUSH);
    mmu_flush(&domain_cpu(d)->mmu, true);
}

void base_copy(struct domain *d, u32 mfn)
{
    const u64 *from = (const u64 *)frame_hva(d, mfn);
    u64 *to = (u64 *)frame_hva(d, d->l3_copy_mfn);
    d->v.base_mfn = mfn;
    for (unsigned i = 0; i < 4; i++)
        to[i] = from[i] & PTE_P ? from[i] & (PTE_ADDR | PTE_P) : 0;
}

void base_switch(struct domain *d, u32 mfn)
{
    base_copy(d, mfn);
    bool valid = cpu_write_cr(domain_cpu(d), 3, maddr(d->l3_copy_mfn));
    assert(valid); /* its entries were checked */
    (void)valid;
}
