/* SPDX-License-Identifier: MIT */
/*
 * Copies by the hypervisor: cheaper than mapping, copying and unmapping, because no page table changes and no TLB
 * entry must go. Each end is a grant, or a frame of the caller's own. And transfers, the first way in which network
 * packets came: a frame changes its owner. Xen 3 gave them up for copies; nobody accepts one here.
 */
#include <string.h>

#include "paravirt/grant.h"

#define LINE 64 /* bytes that are charged together */

void charge_copy(struct domain *d, u32 bytes)
{
    charge_n(d, EV_PV_COPIED_LINE, (bytes + LINE - 1) / LINE);
}

/* A frame at one end of a copy, held while it lasts. */
struct end {
    struct domain *owner;
    u32 mfn, ref;           /* mfn: of the owner's */
    bool by_ref, readonly;
};

static s16 end_open(struct domain *d, const struct gnttab_copy_end32 *from, bool by_ref, bool readonly, struct end *e)
{
    *e = (struct end){ .owner = d, .ref = from->ref_or_mfn, .by_ref = by_ref, .readonly = readonly };
    if (by_ref) {
        e->owner = xen_find_any(d, from->domid);
        if (!e->owner)
            return from->domid == DOMID_DRIVER ? GNTST_bad_gntref : GNTST_bad_domain;
        return grant_acquire(e->owner, d->domid, from->ref_or_mfn, readonly, &e->mfn);
    }
    if (from->domid != DOMID_SELF)
        return GNTST_permission_denied; /* another's memory only by a grant */
    e->mfn = from->ref_or_mfn;
    struct frame *f = frame_of_guest(d, e->mfn);
    if (!f || f->owner != OWNER_DOMAIN || f->refs == UINT32_MAX)
        return GNTST_bad_page;
    if (!readonly)
        return frame_get_type(d, e->mfn, TYPE_WRITABLE) < 0 ? GNTST_bad_page : GNTST_okay;
    f->refs++;
    return GNTST_okay;
}

static void end_close(const struct end *e)
{
    struct domain *d = e->owner;
    if (e->by_ref)
        grant_release(d, e->ref, e->readonly);
    else if (e->readonly)
        frame_put(d, e->mfn);
    else
        frame_put_type(d, e->mfn);
}

static void move_bytes(struct domain *d, const struct gnttab_copy32 *c, const struct end *from, const struct end *to)
{
    memmove(frame_hva(to->owner, to->mfn) + c->dest.offset, frame_hva(from->owner, from->mfn) + c->source.offset, c->len);
    physmap_written(&to->owner->vm->map, maddr(to->mfn) + c->dest.offset, c->len);
    charge_copy(d, c->len);
}

static s16 copy(struct domain *d, const struct gnttab_copy32 *c)
{
    struct end from, to;
    if (c->source.offset + c->len > PAGE_SIZE || c->dest.offset + c->len > PAGE_SIZE)
        return GNTST_bad_copy_arg;
    s16 status = end_open(d, &c->source, c->flags & GNTCOPY_source_gref, true, &from);
    if (status != GNTST_okay)
        return status;
    status = end_open(d, &c->dest, c->flags & GNTCOPY_dest_gref, false, &to);
    if (status == GNTST_okay) {
        if (c->len)
            move_bytes(d, c, &from, &to);
        end_close(&to);
    }
    end_close(&from);
    return status;
}

void grant_copy_one(struct domain *d, void *op)
{
    struct gnttab_copy32 *c = op;
    charge(d, EV_PV_GRANT_COPY);
    c->status = copy(d, c);
}

void grant_transfer_one(struct domain *d, void *op)
{
    struct gnttab_transfer32 *t = op;
    const struct frame *f = frame_of_guest(d, t->mfn);
    if (!f || f->owner != OWNER_DOMAIN || !f->allocated)
        t->status = GNTST_bad_page;
    else
        t->status = grant_not_yours(d, t->domid);
}
