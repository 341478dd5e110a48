/* SPDX-License-Identifier: MIT */
/* Grants between two domains: mapped, copied, refused, revoked too early, forged; and when the granter dies. */
#include "pvpair.h"

/* --- grants ------------------------------------------------------------------------------------ */

static void test_map(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    poke32(&p.a, SHARED, 0x11223344);
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    CHECK_EQ((pte_of(&p.b, WINDOW) & 0xffffffffff000) >> 12, FOREIGN(mfn));
    CHECK_EQ(peek32(&p.b, WINDOW), 0x11223344);
    poke32(&p.b, WINDOW + 4, 0x55667788);
    CHECK_EQ(peek32(&p.a, SHARED + 4), 0x55667788);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_STR(audit(&p.a), "");
    CHECK_STR(audit(&p.b), "");
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK_EQ(pte_of(&p.b, WINDOW), 0);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access);
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_bad_handle);
    close_pair(&p);
}

static void test_maps_that_are_refused(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access | GTF_readonly, mfn);
    grant(&p.a, 5, NOBODY, GTF_permit_access, mfn);
    grant(&p.a, 6, B, GTF_permit_access, p.a.d->v.base_mfn);
    grant(&p.a, 7, B, GTF_permit_access, FOREIGN(mfn));                     /* it does not have that */
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 5, 0, WINDOW, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 6, 0, WINDOW, &h), GNTST_general_error);            /* a page table, writable */
    CHECK_EQ(b_maps(&p, 7, 0, WINDOW, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 99999, 0, WINDOW, &h), GNTST_bad_gntref);
    CHECK_EQ(map_at(&p.b, NOBODY, 4, GNTMAP_host_map, WINDOW, &h), GNTST_bad_domain);
    CHECK_EQ(map_at(&p.b, DOMID_SELF, 4, GNTMAP_host_map, WINDOW, &h), GNTST_bad_domain);
    CHECK_EQ(map_at(&p.a, A, 4, GNTMAP_host_map | GNTMAP_readonly, WINDOW, &h), GNTST_general_error);   /* granted, but not to A */
    CHECK_EQ(b_maps(&p, 4, GNTMAP_readonly, XEN_VIRT_START, &h), GNTST_general_error);
    CHECK_EQ(b_maps(&p, 4, GNTMAP_readonly, start_info(&p.b)->pt_base, &h), GNTST_okay);  /* over a mapping of a table: why not */
    CHECK_EQ(unmap_at(&p.b, start_info(&p.b)->pt_base, 0, h), GNTST_okay);
    close_pair(&p);
}

/* Revoked too early: what is mapped stays A's to lose, and nothing more is given out. */
static void test_revoke_while_mapped(void)
{
    PAIR(p);
    u32 h, h2, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    grant(&p.a, 4, 0, 0, 0);
    CHECK_EQ(b_maps(&p, 4, 0, PAGE(7), &h2), GNTST_general_error);
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, PAGE(9)));            /* another page under the same number: */
    CHECK_EQ(b_maps(&p, 4, 0, PAGE(7), &h2), GNTST_okay);
    CHECK_EQ((pte_of(&p.b, PAGE(7)) & 0xffffffffff000) >> 12, FOREIGN(mfn)); /* the use goes on, so it is still the first */
    CHECK_EQ(update_va(&p.a, SHARED, 0), 0);
    CHECK_EQ(mmuext(&p.a, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);       /* B could write into it */
    struct memory_reservation32 r = { .extent_start = PAGE(58), .nr_extents = 1, .domid = DOMID_SELF };
    poke32(&p.a, PAGE(58), mfn);
    poke(&p.a, OP, &r, sizeof r);
    CHECK_EQ(call(&p.a, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, OP, 0, 0), 1);
    CHECK_EQ(p.a.d->frame[mfn].owner, OWNER_DOMAIN);                        /* not free while B has it */
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK_EQ(p.a.d->frame[mfn].owner, OWNER_DOMAIN);
    CHECK_EQ(unmap_at(&p.b, PAGE(7), 0, h2), GNTST_okay);
    CHECK_EQ(p.a.d->frame[mfn].owner, OWNER_NOBODY);
    close_pair(&p);
}

/* Only the grant makes such an entry; every other way to name another's frame is refused. */
static void test_forged_foreign_frames(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED), table = mfn_of(&p.b, PAGE(20));
    u64 wish = maddr(FOREIGN(mfn)) | PTE_P;
    CHECK_EQ(update_va(&p.b, WINDOW, wish), -XEN_EINVAL);
    CHECK_EQ(update_va(&p.b, WINDOW, wish | PTE_RW), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&p.b, pte_address(&p.b, WINDOW), wish), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&p.b, maddr(FOREIGN(p.a.d->v.base_mfn)), 0), -XEN_EINVAL);   /* into A's tables */
    CHECK_EQ(mmu_update(&p.b, maddr(FOREIGN(mfn)) | MMU_MACHPHYS_UPDATE, 0), -XEN_EINVAL);
    for (u32 cmd = MMUEXT_PIN_L1_TABLE; cmd <= MMUEXT_NEW_BASEPTR; cmd++)
        CHECK_EQ(mmuext(&p.b, cmd, FOREIGN(mfn), 0), cmd == MMUEXT_PIN_L4_TABLE ? -XEN_ENOSYS : -XEN_EINVAL);
    CHECK_EQ(mmuext(&p.b, MMUEXT_CLEAR_PAGE, FOREIGN(mfn), 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&p.b, MMUEXT_COPY_PAGE, table, FOREIGN(mfn)), -XEN_EINVAL);
    poke32(&p.b, PAGE(59), FOREIGN(mfn));
    CHECK_EQ(call(&p.b, __HYPERVISOR_set_gdt, PAGE(59), 512, 0, 0), -XEN_EINVAL);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    CHECK_EQ(b_maps(&p, 4, GNTMAP_readonly, WINDOW, &h), GNTST_okay);
    CHECK_EQ(update_va(&p.b, WINDOW, wish | PTE_RW), -XEN_EINVAL);          /* more than was granted */
    CHECK_EQ(update_va(&p.b, PAGE(7), wish), -XEN_EINVAL);                  /* the same once more */
    poke64(&p.b, PAGE(20), wish);
    detach(&p.b, 20);
    CHECK_EQ(mmuext(&p.b, MMUEXT_PIN_L1_TABLE, table, 0), -XEN_EINVAL);     /* within a table of its own making */
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    close_pair(&p);
}

/* B loses the entry itself: the use goes on until its end, and nothing of A's is freed meanwhile. */
static void test_entry_overwritten(void)
{
    PAIR(p);
    u32 h, mfn = mfn_of(&p.a, SHARED);
    grant(&p.a, 4, B, GTF_permit_access, mfn);
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    CHECK_EQ(update_va(&p.b, WINDOW, 0), 0);
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_general_error);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access | GTF_reading | GTF_writing);
    dies(&p.b);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access);
    close_pair(&p);
}

static s16 b_copies(struct pair *p, u32 ref, u32 to_mfn, bool other_way)
{
    struct gnttab_copy_end32 theirs = { ref, A, 0 }, own = { to_mfn, DOMID_SELF, 0 };
    struct gnttab_copy32 c = { other_way ? own : theirs, other_way ? theirs : own, 4096, other_way ? GNTCOPY_dest_gref : GNTCOPY_source_gref, -100 };
    CHECK_EQ(grant_op(&p->b, GNTTABOP_copy, &c, sizeof c), 0);
    return c.status;
}

static void test_copy(void)
{
    PAIR(p);
    u32 own = mfn_of(&p.b, PAGE(8));
    grant(&p.a, 4, B, GTF_permit_access | GTF_readonly, mfn_of(&p.a, SHARED));
    poke32(&p.a, SHARED + 4092, 77);
    CHECK_EQ(b_copies(&p, 4, own, false), GNTST_okay);
    CHECK_EQ(peek32(&p.b, PAGE(8) + 4092), 77);
    CHECK_EQ(b_copies(&p, 4, own, true), GNTST_general_error);              /* read-only */
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    poke32(&p.b, PAGE(8), 78);
    CHECK_EQ(b_copies(&p, 4, own, true), GNTST_okay);
    CHECK_EQ(peek32(&p.a, SHARED), 78);
    CHECK_EQ(b_copies(&p, 5, own, false), GNTST_general_error);
    CHECK_EQ(flags_of(&p.a, 4), GTF_permit_access);
    dies(&p.a);
    CHECK_EQ(b_copies(&p, 4, own, false), GNTST_bad_domain);
    close_pair(&p);
}

static void test_granter_dies(void)
{
    PAIR(p);
    u32 h, h2;
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    CHECK_EQ(b_maps(&p, 4, 0, WINDOW, &h), GNTST_okay);
    poke32(&p.a, SHARED, 123);
    dies(&p.a);
    CHECK_EQ(b_maps(&p, 4, 0, PAGE(7), &h2), GNTST_bad_domain);
    CHECK_EQ(peek32(&p.b, WINDOW), 123);    /* the dead's page stays until B lets it go */
    CHECK_EQ(unmap_at(&p.b, WINDOW, 0, h), GNTST_okay);
    CHECK(!p.b.d->ended);
    close_pair(&p);
}

/* A domain's vm goes altogether: who had its memory mapped finds nothing there, and reads ones. */
static void test_granter_vanishes(void)
{
    PAIR(p);
    u32 h;
    grant(&p.b, 4, A, GTF_permit_access, mfn_of(&p.b, SHARED));
    CHECK_EQ(map_at(&p.a, B, 4, GNTMAP_host_map, WINDOW, &h), GNTST_okay);
    fixture_close(&p.b);
    p.b.vm = NULL;
    CHECK_EQ(peek32(&p.a, WINDOW), 0xffffffff);
    CHECK_EQ(unmap_at(&p.a, WINDOW, 0, h), GNTST_okay);
    CHECK_STR(audit(&p.a), "");
    close_pair(&p);
}

/* A grant that many use is counted up to its end and not beyond. */
static void test_handles_run_out(void)
{
    PAIR(p);
    u32 h, n = 0;
    s16 rc;
    grant(&p.a, 4, B, GTF_permit_access, mfn_of(&p.a, SHARED));
    while ((rc = map_at(&p.b, A, 4, GNTMAP_device_map, 0, &h)) == GNTST_okay)
        n++;
    CHECK_EQ(rc, GNTST_no_device_space);
    CHECK_EQ(n, GRANT_HANDLES);
    CHECK_STR(audit(&p.a), "");
    dies(&p.b);
    CHECK_EQ(p.a.d->grants->active[4].writers, 0);
    close_pair(&p);
}
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "map", test_map }, { "maps-that-are-refused", test_maps_that_are_refused },
        { "revoke-while-mapped", test_revoke_while_mapped }, { "forged-foreign-frames", test_forged_foreign_frames },
        { "entry-overwritten", test_entry_overwritten }, { "copy", test_copy }, { "granter-dies", test_granter_dies },
        { "granter-vanishes", test_granter_vanishes }, { "handles-run-out", test_handles_run_out },
        { NULL, NULL },
    };
    return check_main(argc, argv, "two domains, grants", tests);
}
