/* SPDX-License-Identifier: MIT */
/*
 * Grants in the guest's own page tables: another guest's, or one that it made to itself (a loopback); the domain of the
 * drivers grants nothing. A mapping is one more use of the grant and one entry of an L1; a handle finds it again. The entry
 * for a frame of one's own is counted like any other. One for another's counts nothing here: the use of the grant holds the
 * frame, over there, until the handle is given back, whatever becomes of the entry.
 */
#include "paravirt/grant.h"

#define ENTRY_FLAGS (PTE_P | PTE_A | PTE_D)

/* Table and slot of the entry that the mapping is to live in. */
static int find_entry(struct domain *d, u64 host_addr, bool by_entry, u32 *mfn, unsigned *slot)
{
    if (!by_entry)
        return host_addr >> 32 ? -XEN_EINVAL : table_find_l1(d, host_addr, mfn, slot);
    const struct frame *f = frame_of_guest(d, host_addr >> PAGE_SHIFT);
    if (!f || !f->type_count || f->type != TYPE_L1 || host_addr & 7)
        return -XEN_EINVAL;
    *mfn = host_addr >> PAGE_SHIFT;
    *slot = host_addr >> 3 & (PTES - 1);
    return 0;
}

static void forget_translation(struct domain *d, u64 host_addr, bool by_entry)
{
    if (by_entry)
        tlb_flush(d);
    else
        mmu_invlpg(&domain_cpu(d)->mmu, host_addr);
}

static int enter(struct domain *d, const struct gnttab_map_grant_ref *op, u32 frame)
{
    bool by_entry = op->flags & GNTMAP_contains_pte;
    u64 pte = maddr(frame) | ENTRY_FLAGS;
    pte |= (op->flags & GNTMAP_readonly ? 0 : PTE_RW) | (op->flags & GNTMAP_application_map ? PTE_USER : 0);
    u32 mfn;
    unsigned slot;
    if (find_entry(d, op->host_addr, by_entry, &mfn, &slot) < 0)
        return -1;
    if (mfn_is_foreign(frame))
        table_write_foreign(d, mfn, slot, pte);
    else if (table_write(d, mfn, slot, pte, false) < 0)
        return -1;
    forget_translation(d, op->host_addr, by_entry);
    return 0;
}

/* --- mapping --- */

static struct grant_mapping *handle_find(struct domain *d)
{
    for (u32 i = 0; i < GRANT_HANDLES; i++)
        if (!d->grants->mapping[i].parts)
            return &d->grants->mapping[i];
    return NULL;
}

static s16 check_map(const struct domain *granter, const struct gnttab_map_grant_ref *op)
{
    if (!granter)
        return op->dom == DOMID_DRIVER ? GNTST_bad_gntref : GNTST_bad_domain;
    if (!(op->flags & (GNTMAP_host_map | GNTMAP_device_map)))
        return GNTST_bad_gntref; /* as Xen says it */
    return GNTST_okay;
}

static s16 map(struct domain *d, struct gnttab_map_grant_ref *op)
{
    bool readonly = op->flags & GNTMAP_readonly;
    struct grant_mapping *m = handle_find(d);
    struct domain *granter = xen_find(d->xen, op->dom);
    u32 frame;
    s16 status = check_map(granter, op);
    if (status == GNTST_okay && !m)
        status = GNTST_no_device_space;
    if (status == GNTST_okay)
        status = grant_acquire(granter, d->domid, op->ref, readonly, &frame);
    if (status != GNTST_okay)
        return status;
    frame |= granter == d ? 0 : (u32)granter->domid << FOREIGN_SHIFT;
    if (op->flags & GNTMAP_host_map && enter(d, op, frame) < 0) {
        grant_release(granter, op->ref, readonly);
        return GNTST_general_error;
    }
    *m = (struct grant_mapping){
        .parts = (op->flags & GNTMAP_host_map ? PART_HOST : 0) | (op->flags & GNTMAP_device_map ? PART_DEVICE : 0),
        .readonly = readonly, .by_entry = op->flags & GNTMAP_contains_pte,
        .domid = granter->domid, .ref = op->ref, .mfn = frame, .host_addr = op->host_addr,
    };
    if (mfn_is_foreign(frame))
        physmap_written(&d->vm->map, maddr(frame), PAGE_SIZE); /* perhaps, since we had it mapped last */
    op->handle = m - d->grants->mapping;
    op->dev_bus_addr = maddr(frame);
    return GNTST_okay;
}

void grant_map_one(struct domain *d, void *op)
{
    struct gnttab_map_grant_ref *m = op;
    charge(d, EV_PV_GRANT_MAP);
    m->status = map(d, m);
}

/* --- unmapping: the parts whose addresses are given --- */

/* The entry must still be the one that the mapping wrote. */
static s16 leave(struct domain *d, const struct grant_mapping *m)
{
    u32 mfn;
    unsigned slot;
    if (find_entry(d, m->host_addr, m->by_entry, &mfn, &slot) < 0)
        return GNTST_general_error;
    u64 pte = ((const u64 *)frame_hva(d, mfn))[slot];
    if (!(pte & PTE_P) || (pte & 0xffffffffff000) != maddr(m->mfn) || !(pte & PTE_RW) != m->readonly)
        return GNTST_general_error;
    if (table_write(d, mfn, slot, 0, false) < 0)
        return GNTST_general_error;
    forget_translation(d, m->host_addr, m->by_entry);
    return GNTST_okay;
}

/* A granter that has died still owns the frame; one that is gone altogether has nothing to be told. */
static void give_back(struct domain *d, const struct grant_mapping *m)
{
    struct domain *granter = d->xen->domain[m->domid - DOMID_GUEST];
    if (granter && granter->grants)
        grant_release(granter, m->ref, m->readonly);
}

void grants_unmap_all(struct domain *d)
{
    for (u32 i = 0; d->grants && i < GRANT_HANDLES; i++) {
        struct grant_mapping *m = &d->grants->mapping[i];
        if (m->parts && m->domid != d->domid)
            give_back(d, m);
        if (m->domid != d->domid)
            m->parts = 0;
    }
}

static s16 unmap(struct domain *d, const struct gnttab_unmap_grant_ref *op)
{
    struct grant_mapping *m = op->handle < GRANT_HANDLES ? &d->grants->mapping[op->handle] : NULL;
    if (!m || !m->parts)
        return GNTST_bad_handle;
    u8 parts = m->parts & ((op->host_addr ? PART_HOST : 0) | (op->dev_bus_addr ? PART_DEVICE : 0));
    if (op->dev_bus_addr && op->dev_bus_addr != maddr(m->mfn))
        return GNTST_bad_dev_addr;
    if (parts & PART_HOST && op->host_addr != m->host_addr)
        return GNTST_bad_virt_addr;
    s16 status = parts & PART_HOST ? leave(d, m) : GNTST_okay;
    if (status != GNTST_okay)
        return status;
    m->parts &= ~parts;
    if (parts && !m->parts)
        give_back(d, m);
    return GNTST_okay;
}

void grant_unmap_one(struct domain *d, void *op)
{
    struct gnttab_unmap_grant_ref *u = op;
    charge(d, EV_PV_GRANT_UNMAP);
    u->status = unmap(d, u);
}
