/* SPDX-License-Identifier: MIT */
/* Hypercall memory_op: how much memory there is, where the machine-to-physical table stands, and giving pages back or taking new ones. */
#include <string.h>

#include "paravirt/domain.h"

static s32 check_self(struct domain *d, u32 gva)
{
    u16 domid;
    if (copy_from_guest(d, &domid, gva, sizeof domid) < 0)
        return -XEN_EFAULT;
    return domid == DOMID_SELF ? 0 : domid < DOMID_FIRST_RESERVED ? -XEN_EPERM : -XEN_ESRCH;
}

static s32 op_maximum_ram_page(struct domain *d, u32 gva) { return d->nframes - 1; }

static s32 op_current(struct domain *d, u32 gva)
{
    s32 rc = check_self(d, gva);
    return rc < 0 ? rc : (s32)d->nr_pages;
}

static s32 op_maximum(struct domain *d, u32 gva)
{
    s32 rc = check_self(d, gva);
    return rc < 0 ? rc : (s32)d->max_pages;
}

static s32 op_machphys_mapping(struct domain *d, u32 gva)
{
    struct machphys_mapping32 m = { M2P_VIRT_START, M2P_VIRT_END, d->nframes - 1 };
    return copy_to_guest(d, gva, &m, sizeof m);
}

/* One extent for each 2 MiB of the table: the machine frame at which it starts. */
static s32 op_machphys_list(struct domain *d, u32 gva)
{
    struct machphys_mfn_list32 list;
    if (copy_from_guest(d, &list, gva, sizeof list) < 0)
        return -XEN_EFAULT;
    u32 n = (d->m2p_pages + PTES - 1) / PTES;
    list.nr_extents = n < list.max_extents ? n : list.max_extents;
    for (u32 i = 0; i < list.nr_extents; i++)
        if (copy_to_guest(d, list.extent_start + i * 4, &d->pool[i * PTES], 4) < 0)
            return -XEN_EFAULT;
    return copy_to_guest(d, gva, &list, sizeof list);
}

/* The pseudo-physical map is one piece of RAM. */
static s32 op_memory_map(struct domain *d, u32 gva)
{
    struct memory_map32 map;
    struct e820_entry32 all = { 0, (u64)d->max_pages << PAGE_SHIFT, 1 };
    if (copy_from_guest(d, &map, gva, sizeof map) < 0)
        return -XEN_EFAULT;
    if (map.nr_entries && copy_to_guest(d, map.buffer, &all, sizeof all) < 0)
        return -XEN_EFAULT;
    map.nr_entries = map.nr_entries ? 1 : 0;
    return copy_to_guest(d, gva, &map, sizeof map);
}

/* --- reservations: single pages only --- */

static s32 reservation(struct domain *d, u32 gva, struct memory_reservation32 *r)
{
    if (copy_from_guest(d, r, gva, sizeof *r) < 0)
        return -XEN_EFAULT;
    if (r->domid != DOMID_SELF)
        return r->domid < DOMID_FIRST_RESERVED ? -XEN_EPERM : -XEN_ESRCH;
    if (r->extent_order || r->nr_extents > d->nframes || !guest_range_ok(r->extent_start, (u64)r->nr_extents * 4))
        return -XEN_EINVAL;
    return 0;
}

static bool release_page(struct domain *d, u32 mfn)
{
    struct frame *f = frame_of_guest(d, mfn);
    if (!f || f->owner != OWNER_DOMAIN || !f->allocated)
        return false;
    frame_release(d, mfn);
    return true;
}

static s32 op_decrease(struct domain *d, u32 gva)
{
    struct memory_reservation32 r;
    s32 rc = reservation(d, gva, &r);
    for (u32 i = 0, mfn; rc == 0 && i < r.nr_extents; i++)
        if (copy_from_guest(d, &mfn, r.extent_start + i * 4, 4) < 0 || !release_page(d, mfn))
            return i;
    return rc < 0 ? rc : (s32)r.nr_extents;
}

/* The lowest free frame, scrubbed. */
static u32 take_page(struct domain *d)
{
    for (u32 i = d->next_free > d->npool_xen ? d->next_free : d->npool_xen; i < d->npool; i++) {
        u32 mfn = d->pool[i];
        d->next_free = i + 1;
        if (d->frame[mfn].owner != OWNER_NOBODY)
            continue;
        d->frame[mfn] = (struct frame){ .owner = OWNER_DOMAIN, .allocated = true };
        memset(frame_hva(d, mfn), 0, PAGE_SIZE);
        physmap_written(&d->vm->map, maddr(mfn), PAGE_SIZE);
        d->nr_pages++;
        return mfn;
    }
    return 0;
}

/* populate_physmap reads the pfn to be backed from where it then writes the mfn; increase_reservation only writes. */
static s32 grow(struct domain *d, u32 gva, bool populate)
{
    struct memory_reservation32 r;
    s32 rc = reservation(d, gva, &r);
    for (u32 i = 0; rc == 0 && i < r.nr_extents; i++) {
        u32 at = r.extent_start + i * 4, pfn, mfn;
        if (d->nr_pages >= d->max_pages || copy_from_guest(d, &pfn, at, 4) < 0 || !(mfn = take_page(d)))
            return i;
        if (populate)
            d->m2p[mfn] = pfn;
        if (copy_to_guest(d, at, &mfn, 4) < 0)
            return i;
    }
    return rc < 0 ? rc : (s32)r.nr_extents;
}

static s32 op_increase(struct domain *d, u32 gva) { return grow(d, gva, false); }
static s32 op_populate(struct domain *d, u32 gva) { return grow(d, gva, true); }

s32 do_memory_op(struct domain *d, const u32 arg[6])
{
    static s32 (*const handler[])(struct domain *, u32) = {
        [XENMEM_increase_reservation] = op_increase, [XENMEM_decrease_reservation] = op_decrease,
        [XENMEM_populate_physmap] = op_populate, [XENMEM_maximum_ram_page] = op_maximum_ram_page,
        [XENMEM_current_reservation] = op_current, [XENMEM_maximum_reservation] = op_maximum,
        [XENMEM_machphys_mapping] = op_machphys_mapping, [XENMEM_machphys_mfn_list] = op_machphys_list,
        [XENMEM_memory_map] = op_memory_map,
    };
    u32 cmd = arg[0] & 63; /* the upper bits are where a continued call goes on */
    if (cmd >= ARRAY_LEN(handler) || !handler[cmd])
        return -XEN_ENOSYS;
    return handler[cmd](d, arg[1]);
}
