/* SPDX-License-Identifier: MIT */
/* The grant table's pages, and hypercall grant_table_op: a batch of entries of which each bears a status of its own. */
#include "paravirt/grant.h"

#include <stdlib.h>

/* Grow the table to n frames. Each is a page that the guest may map writable, like shared_info. */
static bool grow(struct domain *d, u32 n)
{
    struct grants *g = d->grants;
    while (g->frames < n) {
        u32 mfn = xenmem_alloc(d);
        if (!mfn)
            return false;
        d->frame[mfn] = (struct frame){ .owner = OWNER_SHARED, .allocated = true };
        g->mfn[g->frames++] = mfn;
    }
    return true;
}

int grants_init(struct domain *d, struct error *err)
{
    d->grants = calloc(1, sizeof *d->grants);
    return d->grants ? 0 : error_set(err, "not enough memory for a grant table");
}

void grants_fini(struct domain *d)
{
    free(d->grants);
    d->grants = NULL;
}

s16 grant_not_yours(struct domain *d, u16 domid)
{
    return domid == DOMID_DRIVER || xen_find(d->xen, domid) ? GNTST_permission_denied : GNTST_bad_domain;
}

/* --- operations that are about the table; a status in the structure, or -XEN_EFAULT --- */

static s16 setup(struct domain *d, const struct gnttab_setup_table32 *s)
{
    if (xen_find_any(d, s->dom) != d)
        return grant_not_yours(d, s->dom);
    return s->nr_frames <= GRANT_FRAMES && grow(d, s->nr_frames) ? GNTST_okay : GNTST_general_error;
}

static s32 op_setup_table(struct domain *d, u32 gva)
{
    struct gnttab_setup_table32 s;
    if (copy_from_guest(d, &s, gva, sizeof s) < 0)
        return -XEN_EFAULT;
    s.status = setup(d, &s);
    if (s.status == GNTST_okay && copy_to_guest(d, s.frame_list, d->grants->mfn, s.nr_frames * 4) < 0)
        s.status = GNTST_bad_virt_addr;
    return copy_to_guest(d, gva, &s, sizeof s);
}

static s32 op_query_size(struct domain *d, u32 gva)
{
    struct gnttab_query_size q;
    if (copy_from_guest(d, &q, gva, sizeof q) < 0)
        return -XEN_EFAULT;
    q.nr_frames = d->grants->frames;
    q.max_nr_frames = GRANT_FRAMES;
    q.status = xen_find_any(d, q.dom) == d ? GNTST_okay : grant_not_yours(d, q.dom);
    return copy_to_guest(d, gva, &q, sizeof q);
}

/* Asking for version 2 is answered as by a Xen that has never heard of versions. */
static s32 op_set_version(struct domain *d, u32 gva)
{
    struct gnttab_set_version v;
    if (copy_from_guest(d, &v, gva, sizeof v) < 0)
        return -XEN_EFAULT;
    if (v.version != 1)
        return v.version == 2 ? -XEN_ENOSYS : -XEN_EINVAL;
    return 0;
}

static s32 op_get_version(struct domain *d, u32 gva)
{
    struct gnttab_get_version v;
    if (copy_from_guest(d, &v, gva, sizeof v) < 0)
        return -XEN_EFAULT;
    if (xen_find_any(d, v.dom) != d)
        return grant_not_yours(d, v.dom) == GNTST_permission_denied ? -XEN_EPERM : -XEN_ESRCH;
    v.version = 1;
    return copy_to_guest(d, gva, &v, sizeof v);
}

/* --- operations that come in batches --- */

struct batch_op {
    void (*one)(struct domain *d, void *op);
    u8 size;
};

static s32 batch(struct domain *d, const struct batch_op *b, u32 cmd, u32 gva, u32 count)
{
    u64 op[4];
    if (count > GRANT_BATCH_MOST)
        return -XEN_EINVAL;
    for (; count && !d->ended; count--, gva += b->size) {
        if (copy_from_guest(d, op, gva, b->size) < 0)
            return -XEN_EFAULT;
        b->one(d, op);
        if (copy_to_guest(d, gva, op, b->size) < 0)
            return -XEN_EFAULT;
        if (count > 1 && hypercall_must_pause(d))
            return hypercall_pause(d, (u32[6]){ cmd, gva + b->size, count - 1 });
    }
    return 0;
}

s32 do_grant_table_op(struct domain *d, const u32 arg[6])
{
    static s32 (*const single[])(struct domain *, u32) = {
        [GNTTABOP_setup_table] = op_setup_table, [GNTTABOP_query_size] = op_query_size,
        [GNTTABOP_set_version] = op_set_version, [GNTTABOP_get_version] = op_get_version,
    };
    static const struct batch_op batches[] = {
        [GNTTABOP_map_grant_ref] = { grant_map_one, sizeof(struct gnttab_map_grant_ref) },
        [GNTTABOP_unmap_grant_ref] = { grant_unmap_one, sizeof(struct gnttab_unmap_grant_ref) },
        [GNTTABOP_copy] = { grant_copy_one, sizeof(struct gnttab_copy32) },
        [GNTTABOP_transfer] = { grant_transfer_one, sizeof(struct gnttab_transfer32) },
    };
    u32 cmd = arg[0];
    if (cmd < ARRAY_LEN(batches) && batches[cmd].one)
        return batch(d, &batches[cmd], cmd, arg[1], arg[2]);
    if (cmd >= ARRAY_LEN(single) || !single[cmd])
        return -XEN_ENOSYS;
    return arg[2] == 1 ? single[cmd](d, arg[1]) : -XEN_EINVAL;
}
