/* SPDX-License-Identifier: MIT */
/* For tests: a guest's grant table, and mappings of grants. */
#ifndef EMU_TESTS_PVGRANT_H
#define EMU_TESTS_PVGRANT_H

#include "pvtest.h"

#define TABLE PAGE(60)      /* where the guest maps its grant table's first frame */
#define OP PAGE(61)         /* arguments */

/* One operation: its structure is written, and what it became is read back. */
static inline s32 grant_op(struct fixture *f, u32 cmd, void *op, u32 size)
{
    poke(f, OP, op, size);
    s32 rc = call(f, __HYPERVISOR_grant_table_op, cmd, OP, 1, 0);
    for (u32 i = 0; i < size; i++)
        ((u8 *)op)[i] = physmap_load(&f->vm->map, (pte_of(f, OP + i) & 0xffffffffff000) | ((OP + i) & 0xfff), 1);
    return rc;
}

/* Two frames of table; the first is mapped at TABLE. */
static inline bool open_table(struct fixture *f)
{
    struct gnttab_setup_table32 s = { DOMID_SELF, 2, -100, PAGE(59) };
    return CHECK_EQ(grant_op(f, GNTTABOP_setup_table, &s, sizeof s), 0) && CHECK_EQ(s.status, GNTST_okay) &&
           CHECK_EQ(update_va(f, TABLE, maddr(peek32(f, PAGE(59))) | RW), 0);
}

static inline void grant(struct fixture *f, u32 ref, u16 domid, u16 flags, u32 mfn)
{
    struct grant_entry_v1 e = { flags, domid, mfn };
    poke(f, TABLE + ref * sizeof e, &e, sizeof e);
}

static inline u16 flags_of(struct fixture *f, u32 ref) { return peek32(f, TABLE + ref * 8); }

static inline s16 map_at(struct fixture *f, u16 granter, u32 ref, u32 flags, u64 host_addr, u32 *handle)
{
    struct gnttab_map_grant_ref m = { .host_addr = host_addr, .flags = flags, .ref = ref, .dom = granter, .status = -100 };
    CHECK_EQ(grant_op(f, GNTTABOP_map_grant_ref, &m, sizeof m), 0);
    *handle = m.handle;
    return m.status;
}

static inline s16 unmap_at(struct fixture *f, u64 host_addr, u64 dev_addr, u32 handle)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = host_addr, .dev_bus_addr = dev_addr, .handle = handle, .status = -100 };
    CHECK_EQ(grant_op(f, GNTTABOP_unmap_grant_ref, &u, sizeof u), 0);
    return u.status;
}

#endif
