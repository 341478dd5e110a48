/* SPDX-License-Identifier: MIT */
/* What the tests of src/paravirt have in common, beyond the domain itself (pvfixture.h). */
#ifndef EMU_TESTS_PVTEST_H
#define EMU_TESTS_PVTEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "devices/serial/chardev.h"
#include "paravirt/grant.h"
#include "pvfixture.h"

/* A domain with nothing in it but an endless loop; at the end all references are counted anew. */
#define WITH(f) struct fixture f; if (!CHECK(fixture_open(&f, &good_image))) { check_fail(__FILE__, __LINE__, "%s", f.err.text); fixture_close(&f); return; }
#define DONE(f) do { CHECK_STR(audit(&f), ""); fixture_close(&f); } while (0)
#define RW (PTE_P | PTE_RW)

static inline u64 entry(u32 mfn, u64 flags) { return maddr(mfn) | flags; }

/* Its table and slot: where the entry that maps gva is. */
static inline u64 pte_address(struct fixture *f, u32 gva)
{
    u32 mfn;
    unsigned slot;
    CHECK_EQ(table_find_l1(f->d, gva, &mfn, &slot), 0);
    return maddr(mfn) + slot * 8;
}

static inline s32 event_op(struct fixture *f, u32 cmd, void *arg, u32 size)
{
    poke(f, PAGE(40), arg, size);
    s32 rc = call(f, __HYPERVISOR_event_channel_op, cmd, PAGE(40), 0, 0);
    for (u32 i = 0; i < size; i++)
        ((u8 *)arg)[i] = peek32(f, PAGE(40) + i);
    return rc;
}
#define EVENT_OP(f, cmd, arg) event_op(&f, cmd, &(arg), sizeof(arg))

/* Take a scratch page out of the tables, so that it can become one. */
static inline u32 detach(struct fixture *f, unsigned page)
{
    u32 mfn = mfn_of(f, PAGE(page));
    CHECK_EQ(update_va(f, PAGE(page), entry(mfn, PTE_P)), 0);
    return mfn;
}

static inline u64 descriptor(u32 base, u32 limit_pages, u8 access)
{
    return (limit_pages & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit_pages >> 16 & 0xf) << 48 | (u64)0xc << 52 |
           (u64)(base >> 24) << 56;
}

#endif
