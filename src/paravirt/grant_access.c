/* SPDX-License-Identifier: MIT */
/*
 * Using what a grant gives. The entry is the guest's to write at any time, so it is read once: at the first use,
 * frame and user are noted on Xen's side, and the frame is referenced. A guest that takes the grant back while it is
 * used harms nobody: the frame stays until the last use ends. GTF_reading and GTF_writing tell an honest guest that
 * it has to wait.
 */
#include "paravirt/grant.h"

#define IN_USE_MOST UINT16_MAX

static struct grant_entry_v1 *entry_of(struct domain *d, u32 ref)
{
    return (struct grant_entry_v1 *)frame_hva(d, d->grants->mfn[ref / GRANTS_PER_FRAME]) + ref % GRANTS_PER_FRAME;
}

static bool granted_to(const struct grant_entry_v1 *e, u16 domid, bool readonly)
{
    return (e->flags & GTF_type_mask) == GTF_permit_access && e->domid == domid &&
           (readonly || !(e->flags & GTF_readonly));
}

/* The reference that one use holds. */
static int frame_hold(struct domain *d, u32 mfn, bool readonly)
{
    struct frame *f = frame_of_guest(d, mfn);
    if (!f || f->owner != OWNER_DOMAIN)
        return -XEN_EINVAL;
    if (!readonly)
        return frame_get_type(d, mfn, TYPE_WRITABLE);
    if (f->refs == UINT32_MAX)
        return -XEN_EBUSY;
    f->refs++;
    return 0;
}

static void status_show(struct domain *d, u32 ref)
{
    const struct grant_active *a = &d->grants->active[ref];
    u16 flags = (a->readers || a->writers ? GTF_reading : 0) | (a->writers ? GTF_writing : 0);
    struct grant_entry_v1 *e = entry_of(d, ref);
    e->flags = (e->flags & ~(GTF_reading | GTF_writing)) | flags;
    physmap_written(&d->vm->map, maddr(d->grants->mfn[ref / GRANTS_PER_FRAME]), PAGE_SIZE);
}

s16 grant_acquire(struct domain *d, u16 domid, u32 ref, bool readonly, u32 *mfn)
{
    if (ref >= d->grants->frames * GRANTS_PER_FRAME)
        return GNTST_bad_gntref;
    struct grant_active *a = &d->grants->active[ref];
    struct grant_entry_v1 e = *entry_of(d, ref);
    bool used = a->readers || a->writers;
    u16 *uses = readonly ? &a->readers : &a->writers;
    if (!granted_to(&e, domid, readonly) || (used && a->domid != domid) || *uses == IN_USE_MOST)
        return GNTST_general_error;
    u32 frame = used ? a->mfn : e.frame;
    if (frame_hold(d, frame, readonly) < 0)
        return GNTST_general_error;
    a->mfn = frame;
    a->domid = domid;
    ++*uses;
    status_show(d, ref);
    *mfn = frame;
    return GNTST_okay;
}

void grant_release(struct domain *d, u32 ref, bool readonly)
{
    struct grant_active *a = &d->grants->active[ref];
    if (readonly) {
        a->readers--;
        frame_put(d, a->mfn);
    } else {
        a->writers--;
        physmap_written(&d->vm->map, maddr(a->mfn), PAGE_SIZE); /* by another's processor: ours has not seen it */
        frame_put_type(d, a->mfn);
    }
    status_show(d, ref);
}
