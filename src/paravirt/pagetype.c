/* SPDX-License-Identifier: MIT */
/*
 * Types of frames: the heart of direct paging (Barham et al. 2003, section 3.3.3).
 *
 * The processor walks the guest's own page tables, so the hypervisor must be sure of every entry in them. It
 * gives each frame a type and counts who relies on it. A frame becomes a page table only after all of its
 * entries were checked, and nobody has it mapped writable from then on until the count drops to zero.
 * A change of type flushes the TLB: a stale writable translation would undo all of this.
 */
#include "paravirt/domain.h"

const char *const frame_type_names[TYPE_COUNT] = { "none", "writable", "l1", "l2", "l2-xen", "l3", "segdesc" };

struct frame *frame_of_guest(struct domain *d, u64 mfn)
{
    if (mfn >= d->nframes)
        return NULL;
    struct frame *f = &d->frame[mfn];
    return f->owner == OWNER_DOMAIN || f->owner == OWNER_SHARED ? f : NULL;
}

static bool is_table(enum frame_type t)
{
    return t >= TYPE_L1 && t <= TYPE_L3;
}

static int segdesc_validate(struct domain *d, u32 mfn)
{
    u64 *desc = (u64 *)frame_hva(d, mfn);
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        if (!descriptor_sanitize(&desc[i]))
            return -XEN_EINVAL;
    physmap_written(&d->vm->map, maddr(mfn), PAGE_SIZE);
    return 0;
}

/* A frame that nobody relies on takes a new type. It is typed while its entries are checked, so that a table
 * that maps itself writable is refused by its own type. */
static int retype(struct domain *d, u32 mfn, enum frame_type type)
{
    struct frame *f = &d->frame[mfn];
    if (f->type == TYPE_WRITABLE)
        tlb_flush(d);
    f->type = type;
    f->type_count = 1;
    int rc = 0;
    if (is_table(type)) {
        charge(d, EV_PV_TYPE_TABLE);
        rc = table_validate(d, mfn, type);
    } else if (type == TYPE_SEGDESC) {
        charge(d, EV_PV_TYPE_SEGDESC);
        rc = segdesc_validate(d, mfn);
    }
    f->type_count = 0;
    if (rc < 0)
        f->type = TYPE_NONE;
    else
        d->types_made[type]++;
    return rc;
}

/* Pages of the LDT are held by the hypervisor's own mapping only: they may be let go at any time. */
static bool held_by_ldt_only(struct domain *d, const struct frame *f)
{
    if (f->type != TYPE_SEGDESC || !f->type_count)
        return false;
    ldt_unmap(d);
    return !f->type_count;
}

/* May a frame of that kind have this type? Xen's shared pages are only ever writable. */
static bool type_allowed(const struct frame *f, enum frame_type type)
{
    return f->owner == OWNER_DOMAIN || type == TYPE_WRITABLE;
}

int frame_get_type(struct domain *d, u64 mfn, enum frame_type type)
{
    struct frame *f = frame_of_guest(d, mfn);
    if (!f || !type_allowed(f, type))
        return -XEN_EINVAL;
    if (f->type_count == UINT32_MAX || f->refs == UINT32_MAX)
        return -XEN_EBUSY;
    if (f->type_count && f->type != type && !held_by_ldt_only(d, f))
        return -XEN_EINVAL;
    /* Xen's entries make a directory of slot 3 belong to one L3 only */
    if (f->type_count && type == TYPE_L2_XEN)
        return -XEN_EINVAL;
    if (!f->type_count && (f->type != type || type != TYPE_WRITABLE)) {
        int rc = retype(d, mfn, type);
        if (rc < 0)
            return rc;
    }
    f->type_count++;
    f->refs++;
    return 0;
}

/* Nobody can reach it any more, but a translation of it may still be in the TLB. */
static void frame_free(struct domain *d, u32 mfn)
{
    tlb_flush(d);
    d->frame[mfn] = (struct frame){ .owner = OWNER_NOBODY };
    d->m2p[mfn] = ~0u;
    d->next_free = 0;
    d->nr_pages--;
}

void frame_put(struct domain *d, u32 mfn)
{
    struct frame *f = &d->frame[mfn];
    if (--f->refs == 0 && !f->allocated)
        frame_free(d, mfn);
}

/* The last reference that relied on the type: a table gives back what its entries hold. Its type goes first, so that what
 * comes back to it meets an ordinary frame. */
static void type_drop(struct domain *d, u32 mfn)
{
    enum frame_type was = d->frame[mfn].type;
    if (was == TYPE_WRITABLE)
        return; /* remembered: translations may still be in the TLB */
    d->frame[mfn].type = TYPE_NONE;
    if (is_table(was)) {
        charge(d, EV_PV_TYPE_RELEASE);
        table_release(d, mfn, was);
    }
}

void frame_put_type(struct domain *d, u32 mfn)
{
    if (--d->frame[mfn].type_count == 0)
        type_drop(d, mfn);
    frame_put(d, mfn);
}

void frame_release(struct domain *d, u32 mfn)
{
    struct frame *f = &d->frame[mfn];
    f->refs++; /* so that dropping the pin does not free it under our hands */
    if (f->pinned) {
        f->pinned = false;
        frame_put_type(d, mfn);
    }
    f->allocated = false;
    frame_put(d, mfn);
}
