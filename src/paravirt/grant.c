/* SPDX-License-Identifier: MIT */
/*
 * The grant table: pages of Xen's in which a guest writes which of its frames another domain may map. The table is handed out
 * here; nobody maps through it yet, because there is no other domain.
 */
#include "paravirt/domain.h"

#pragma pack(push, 4)
struct setup_table32 { u16 dom; u32 nr_frames; s16 status; u32 frame_list; };
#pragma pack(pop)
_Static_assert(sizeof(struct setup_table32) == 16, "32-bit gnttab_setup_table");
_Static_assert(sizeof(struct gnttab_query_size) == 16, "the same for all guests");

/* Grow the table to n frames. Each is a page that the guest may map writable, like shared_info. */
static bool grow(struct domain *d, u32 n)
{
    while (d->ngrant_frames < n) {
        u32 mfn = xenmem_alloc(d);
        if (!mfn)
            return false;
        d->frame[mfn] = (struct frame){ .owner = OWNER_SHARED, .allocated = true };
        d->grant_mfn[d->ngrant_frames++] = mfn;
    }
    return true;
}

static s16 setup(struct domain *d, const struct setup_table32 *s)
{
    if (s->dom != DOMID_SELF)
        return GNTST_bad_domain;
    if (s->nr_frames > ARRAY_LEN(d->grant_mfn) || !grow(d, s->nr_frames))
        return GNTST_general_error;
    return GNTST_okay;
}

static s32 setup_table(struct domain *d, u32 gva)
{
    struct setup_table32 s;
    if (copy_from_guest(d, &s, gva, sizeof s) < 0)
        return -XEN_EFAULT;
    s.status = setup(d, &s);
    if (s.status == GNTST_okay && copy_to_guest(d, s.frame_list, d->grant_mfn, s.nr_frames * 4) < 0)
        s.status = GNTST_bad_virt_addr;
    return copy_to_guest(d, gva, &s, sizeof s);
}

static s32 query_size(struct domain *d, u32 gva)
{
    struct gnttab_query_size q;
    if (copy_from_guest(d, &q, gva, sizeof q) < 0)
        return -XEN_EFAULT;
    q.nr_frames = d->ngrant_frames;
    q.max_nr_frames = ARRAY_LEN(d->grant_mfn);
    q.status = q.dom == DOMID_SELF ? GNTST_okay : GNTST_bad_domain;
    return copy_to_guest(d, gva, &q, sizeof q);
}

/* Of a batch, each entry bears its own status; these operations take one entry. */
s32 do_grant_table_op(struct domain *d, const u32 arg[6])
{
    if (arg[0] != GNTTABOP_setup_table && arg[0] != GNTTABOP_query_size)
        return -XEN_ENOSYS;
    if (arg[2] != 1)
        return -XEN_EINVAL;
    return arg[0] == GNTTABOP_setup_table ? setup_table(d, arg[1]) : query_size(d, arg[1]);
}
