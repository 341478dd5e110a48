/* SPDX-License-Identifier: MIT */
/* Grant tables: what a guest may give, who may use it, what is counted, and what happens when it is taken back too early. */
#include "pvgrant.h"

#undef WITH
#define WITH(f) struct fixture f; if (!CHECK(fixture_open(&f, &good_image)) || !open_table(&f)) { fixture_close(&f); return; }

/* --- the table --- */

static void test_table(void)
{
    WITH(f);
    struct gnttab_setup_table32 s = { DOMID_SELF, GRANT_FRAMES + 1, 0, PAGE(1) };
    CHECK_EQ(grant_op(&f, GNTTABOP_setup_table, &s, sizeof s), 0);
    CHECK_EQ(s.status, GNTST_general_error);
    s = (struct gnttab_setup_table32){ DOMID_SELF, 1, 0, 0x1000 };
    grant_op(&f, GNTTABOP_setup_table, &s, sizeof s);
    CHECK_EQ(s.status, GNTST_bad_virt_addr);
    s = (struct gnttab_setup_table32){ 0, 1, 0, PAGE(1) };
    grant_op(&f, GNTTABOP_setup_table, &s, sizeof s);
    CHECK_EQ(s.status, GNTST_permission_denied);
    s = (struct gnttab_setup_table32){ 7, 1, 0, PAGE(1) };
    grant_op(&f, GNTTABOP_setup_table, &s, sizeof s);
    CHECK_EQ(s.status, GNTST_bad_domain);
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    CHECK_EQ(grant_op(&f, GNTTABOP_query_size, &q, sizeof q), 0);
    CHECK_EQ(q.nr_frames, 2);
    CHECK_EQ(q.max_nr_frames, GRANT_FRAMES);
    struct gnttab_get_version v = { .dom = DOMID_SELF };
    CHECK_EQ(grant_op(&f, GNTTABOP_get_version, &v, sizeof v), 0);
    CHECK_EQ(v.version, 1);
    struct gnttab_set_version w = { .version = 2 };
    CHECK_EQ(grant_op(&f, GNTTABOP_set_version, &w, sizeof w), -XEN_ENOSYS);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, OP, 2, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, OP, 1, 0), -XEN_ENOSYS);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, 0xffffffff, OP, 1, 0), -XEN_ENOSYS);
    CHECK_EQ(update_va(&f, TABLE, 0), 0);
    DONE(f);
}

/* --- use by the other domain --- */

static void test_access(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), got = 0, refs = f.d->frame[mfn].refs;
    grant(&f, 5, DOMID_DRIVER, GTF_permit_access, mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 5, true, &got), GNTST_okay);
    CHECK_EQ(got, mfn);
    CHECK_EQ(flags_of(&f, 5), GTF_permit_access | GTF_reading);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 5, false, &got), GNTST_okay);
    CHECK_EQ(flags_of(&f, 5), GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(f.d->frame[mfn].refs, refs + 2);
    CHECK_STR(audit(&f), "");
    grant_release(f.d, 5, false);
    CHECK_EQ(flags_of(&f, 5), GTF_permit_access | GTF_reading);
    grant_release(f.d, 5, true);
    CHECK_EQ(flags_of(&f, 5), GTF_permit_access);
    CHECK_EQ(f.d->frame[mfn].refs, refs);
    DONE(f);
}

static void test_access_refused(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), got, table = mfn_of(&f, start_info(&f)->pt_base);
    grant(&f, 1, DOMID_GUEST, GTF_permit_access, mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);    /* granted to somebody else */
    grant(&f, 1, DOMID_DRIVER, GTF_invalid, mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);
    grant(&f, 1, DOMID_DRIVER, GTF_accept_transfer, mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);
    grant(&f, 1, DOMID_DRIVER, GTF_permit_access | GTF_readonly, mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, false, &got), GNTST_general_error);
    grant(&f, 1, DOMID_DRIVER, GTF_permit_access, f.d->xen_l1_private);                /* not the guest's to give */
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);
    grant(&f, 1, DOMID_DRIVER, GTF_permit_access, f.d->shared_mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);
    grant(&f, 1, DOMID_DRIVER, GTF_permit_access, 0xffffffff);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);
    grant(&f, 1, DOMID_DRIVER, GTF_permit_access, table);                              /* a page table: to be read only */
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, false, &got), GNTST_general_error);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_okay);
    grant_release(f.d, 1, true);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 2 * GRANTS_PER_FRAME, true, &got), GNTST_bad_gntref);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 0xffffffff, true, &got), GNTST_bad_gntref);
    DONE(f);
}

/* The guest takes its grant back, gives its page away, and grants another under the same number, all while it is used. */
static void test_revoke_while_used(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), got = 0, other = mfn_of(&f, PAGE(2)), pages = f.d->nr_pages;
    grant(&f, 3, DOMID_DRIVER, GTF_permit_access, mfn);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 3, false, &got), GNTST_okay);
    grant(&f, 3, 0, 0, 0);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 3, false, &got), GNTST_general_error);
    struct memory_reservation32 r = { .extent_start = PAGE(50), .nr_extents = 1, .domid = DOMID_SELF };
    CHECK_EQ(update_va(&f, PAGE(1), 0), 0);
    poke32(&f, PAGE(50), mfn);
    poke(&f, OP, &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, OP, 0, 0), 1);
    CHECK_EQ(f.d->frame[mfn].owner, OWNER_DOMAIN);      /* still held */
    CHECK_EQ(f.d->nr_pages, pages);
    CHECK(frame_get_type(f.d, mfn, TYPE_L1) < 0);       /* and no page table while it may be written */
    grant(&f, 3, DOMID_DRIVER, GTF_permit_access, other);
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 3, true, &got), GNTST_okay);
    CHECK_EQ(got, mfn);                                 /* what was noted at the first use holds */
    grant(&f, 3, DOMID_GUEST, GTF_permit_access, other);
    CHECK_EQ(grant_acquire(f.d, DOMID_GUEST, 3, true, &got), GNTST_general_error);
    grant_release(f.d, 3, true);
    grant_release(f.d, 3, false);
    CHECK_EQ(f.d->frame[mfn].owner, OWNER_NOBODY);
    CHECK_EQ(f.d->nr_pages, pages - 1);
    DONE(f);
}

static void test_use_count_overflow(void)
{
    WITH(f);
    u32 got;
    grant(&f, 1, DOMID_DRIVER, GTF_permit_access, mfn_of(&f, PAGE(1)));
    for (u32 i = 0; i < UINT16_MAX; i++)
        if (!CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_okay))
            break;
    CHECK_EQ(grant_acquire(f.d, DOMID_DRIVER, 1, true, &got), GNTST_general_error);
    CHECK_STR(audit(&f), "");
    for (u32 i = 0; i < UINT16_MAX; i++)
        grant_release(f.d, 1, true);
    DONE(f);
}

/* --- mappings in the guest's own tables --- */

static void test_map(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), rw, ro;
    u64 maps = f.vm->ledger.count[EV_PV_GRANT_MAP];
    grant(&f, 1, DOMID_GUEST, GTF_permit_access, mfn);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_device_map, PAGE(2), &rw), GNTST_okay);
    CHECK_EQ(pte_of(&f, PAGE(2)) & ~0xfffull, maddr(mfn));
    CHECK(pte_of(&f, PAGE(2)) & PTE_RW);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_readonly, PAGE(3), &ro), GNTST_okay); /* the same grant twice */
    CHECK(!(pte_of(&f, PAGE(3)) & PTE_RW));
    CHECK(rw != ro);
    CHECK_EQ(flags_of(&f, 1), GTF_permit_access | GTF_reading | GTF_writing);
    CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_MAP], maps + 2);
    CHECK_STR(audit(&f), "");
    CHECK_EQ(unmap_at(&f, PAGE(2), 0, rw), GNTST_okay);
    CHECK_EQ(pte_of(&f, PAGE(2)), 0);
    CHECK(flags_of(&f, 1) & GTF_writing);               /* its device address is still in use */
    CHECK_EQ(unmap_at(&f, 0, maddr(mfn), rw), GNTST_okay);
    CHECK(!(flags_of(&f, 1) & GTF_writing));
    CHECK_EQ(unmap_at(&f, PAGE(3), 0, ro), GNTST_okay);
    CHECK_EQ(flags_of(&f, 1), GTF_permit_access);
    CHECK_EQ(unmap_at(&f, PAGE(3), 0, ro), GNTST_bad_handle);
    CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_UNMAP], 4);
    DONE(f);
}

static void test_map_by_entry(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), handle, l1;
    unsigned slot;
    CHECK_EQ(table_find_l1(f.d, PAGE(2), &l1, &slot), 0);
    grant(&f, 1, DOMID_GUEST, GTF_permit_access, mfn);
    u64 entry = maddr(l1) + slot * 8;
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_contains_pte, entry, &handle), GNTST_okay);
    CHECK_EQ(pte_of(&f, PAGE(2)) & ~0xfffull, maddr(mfn));
    CHECK_EQ(unmap_at(&f, entry, 0, handle), GNTST_okay);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_contains_pte, entry + 4, &handle), GNTST_general_error);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_contains_pte, maddr(mfn), &handle), GNTST_general_error); /* no page table */
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_contains_pte, ~7ull, &handle), GNTST_general_error);
    DONE(f);
}

static void test_map_refused(void)
{
    WITH(f);
    u32 handle;
    struct gnttab_map_grant_ref m = { .host_addr = PAGE(2), .flags = GNTMAP_host_map, .ref = 1, .dom = 9 };
    grant_op(&f, GNTTABOP_map_grant_ref, &m, sizeof m);
    CHECK_EQ(m.status, GNTST_bad_domain);
    m.dom = DOMID_DRIVER;
    grant_op(&f, GNTTABOP_map_grant_ref, &m, sizeof m);
    CHECK_EQ(m.status, GNTST_bad_gntref);
    grant(&f, 1, DOMID_GUEST, GTF_permit_access, mfn_of(&f, PAGE(1)));
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, 0, PAGE(2), &handle), GNTST_bad_gntref);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map, XEN_VIRT_START, &handle), GNTST_general_error);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map, 0xff000000, &handle), GNTST_general_error);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map, 0x1234500000000ull, &handle), GNTST_general_error);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map, 0x1000, &handle), GNTST_general_error); /* no table there */
    CHECK_EQ(flags_of(&f, 1), GTF_permit_access);      /* nothing stayed counted */
    CHECK_EQ(unmap_at(&f, PAGE(2), 0, 0), GNTST_bad_handle);
    CHECK_EQ(unmap_at(&f, PAGE(2), 0, 0xffffffff), GNTST_bad_handle);
    DONE(f);
}

static void test_unmap_wrong(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(1)), handle;
    grant(&f, 1, DOMID_GUEST, GTF_permit_access, mfn);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_host_map | GNTMAP_device_map, PAGE(2), &handle), GNTST_okay);
    CHECK_EQ(unmap_at(&f, PAGE(3), 0, handle), GNTST_bad_virt_addr);
    CHECK_EQ(unmap_at(&f, 0, maddr(mfn) + 4096, handle), GNTST_bad_dev_addr);
    CHECK_EQ(update_va(&f, PAGE(2), maddr(mfn_of(&f, PAGE(4))) | RW), 0); /* the guest overwrote the mapping by itself */
    CHECK_EQ(unmap_at(&f, PAGE(2), 0, handle), GNTST_general_error);
    CHECK_STR(audit(&f), "");
    CHECK_EQ(update_va(&f, PAGE(2), maddr(mfn) | RW), 0);
    CHECK_EQ(unmap_at(&f, PAGE(2), maddr(mfn), handle), GNTST_okay);
    CHECK_EQ(flags_of(&f, 1), GTF_permit_access);
    DONE(f);
}

static void test_handles_run_out(void)
{
    WITH(f);
    u32 handle, mfn = mfn_of(&f, PAGE(1));
    grant(&f, 1, DOMID_GUEST, GTF_permit_access, mfn);
    for (u32 i = 0; i < GRANT_HANDLES; i++)
        if (!CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_device_map, 0, &handle), GNTST_okay) || !CHECK_EQ(handle, i))
            break;
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_device_map, 0, &handle), GNTST_no_device_space);
    CHECK_STR(audit(&f), "");
    CHECK_EQ(unmap_at(&f, 0, maddr(mfn), 17), GNTST_okay);
    CHECK_EQ(map_at(&f, DOMID_GUEST, 1, GNTMAP_device_map, 0, &handle), GNTST_okay);
    CHECK_EQ(handle, 17);
    DONE(f);
}

/* --- copies, transfers, batches --- */

static void test_copy(void)
{
    WITH(f);
    u32 to = mfn_of(&f, PAGE(2));
    grant(&f, 1, DOMID_GUEST, GTF_permit_access | GTF_readonly, mfn_of(&f, PAGE(1)));
    poke(&f, PAGE(1) + 100, "granted", 8);
    struct gnttab_copy32 c = { { 1, DOMID_GUEST, 100 }, { to, DOMID_SELF, 4088 }, 8, GNTCOPY_source_gref, -100 };
    u64 lines = f.vm->ledger.count[EV_PV_COPIED_LINE];
    CHECK_EQ(grant_op(&f, GNTTABOP_copy, &c, sizeof c), 0);
    CHECK_EQ(c.status, GNTST_okay);
    CHECK_EQ(peek64(&f, PAGE(2) + 4088), peek64(&f, PAGE(1) + 100));
    CHECK_EQ(f.vm->ledger.count[EV_PV_COPIED_LINE], lines + 1);
    CHECK_EQ(f.vm->ledger.count[EV_PV_GRANT_COPY], 1);
    CHECK_EQ(flags_of(&f, 1), GTF_permit_access | GTF_readonly);
    const struct { struct gnttab_copy32 c; s16 status; } wrong[] = {
        { { { 1, DOMID_GUEST, 100 }, { to, DOMID_SELF, 4089 }, 8, GNTCOPY_source_gref }, GNTST_bad_copy_arg },
        { { { 1, DOMID_GUEST, 0xffff }, { to, DOMID_SELF, 0 }, 0xffff, GNTCOPY_source_gref }, GNTST_bad_copy_arg },
        { { { 1, 5, 0 }, { to, DOMID_SELF, 0 }, 8, GNTCOPY_source_gref }, GNTST_bad_domain },
        { { { 1, DOMID_DRIVER, 0 }, { to, DOMID_SELF, 0 }, 8, GNTCOPY_source_gref }, GNTST_bad_gntref },
        { { { 99999, DOMID_GUEST, 0 }, { to, DOMID_SELF, 0 }, 8, GNTCOPY_source_gref }, GNTST_bad_gntref },
        { { { to, DOMID_DRIVER, 0 }, { to, DOMID_SELF, 0 }, 8, 0 }, GNTST_permission_denied },
        { { { to, DOMID_SELF, 0 }, { 1, DOMID_GUEST, 0 }, 8, GNTCOPY_dest_gref }, GNTST_general_error },  /* granted for reading */
        { { { to, DOMID_SELF, 0 }, { f.d->v.base_mfn, DOMID_SELF, 0 }, 8, 0 }, GNTST_bad_page },          /* a page table */
        { { { f.d->xen_l1_private, DOMID_SELF, 0 }, { to, DOMID_SELF, 0 }, 8, 0 }, GNTST_bad_page },
        { { { 0xffffffff, DOMID_SELF, 0 }, { to, DOMID_SELF, 0 }, 8, 0 }, GNTST_bad_page },
    };
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        check_context("wrong copy %u", i);
        c = wrong[i].c;
        CHECK_EQ(grant_op(&f, GNTTABOP_copy, &c, sizeof c), 0);
        CHECK_EQ(c.status, wrong[i].status);
    }
    check_context(NULL);
    DONE(f);
}

static void test_transfer_refused(void)
{
    WITH(f);
    struct gnttab_transfer32 t = { mfn_of(&f, PAGE(1)), DOMID_DRIVER, 0, -100 };
    CHECK_EQ(grant_op(&f, GNTTABOP_transfer, &t, sizeof t), 0);
    CHECK_EQ(t.status, GNTST_permission_denied);
    t.domid = 12;
    grant_op(&f, GNTTABOP_transfer, &t, sizeof t);
    CHECK_EQ(t.status, GNTST_bad_domain);
    t = (struct gnttab_transfer32){ f.d->shared_mfn, DOMID_DRIVER, 0, -100 };
    grant_op(&f, GNTTABOP_transfer, &t, sizeof t);
    CHECK_EQ(t.status, GNTST_bad_page);
    DONE(f);
}

/* Three entries, of which the middle one is wrong: the others are done. A batch that leaves the guest's memory stops there. */
static void test_batch(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(1)), b = mfn_of(&f, PAGE(2));
    struct gnttab_copy32 c[3] = {
        { { a, DOMID_SELF, 0 }, { b, DOMID_SELF, 0 }, 4, 0, -100 }, { { ~0u, DOMID_SELF, 0 }, { b, DOMID_SELF, 0 }, 4, 0, -100 },
        { { a, DOMID_SELF, 0 }, { b, DOMID_SELF, 8 }, 4, 0, -100 },
    };
    poke32(&f, PAGE(1), 0x1234);
    poke(&f, OP, c, sizeof c);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, OP, 3, 0), 0);
    CHECK_EQ((s16)peek32(&f, OP + offsetof(struct gnttab_copy32, status)), GNTST_okay);
    CHECK_EQ((s16)peek32(&f, OP + 24 + offsetof(struct gnttab_copy32, status)), GNTST_bad_page);
    CHECK_EQ((s16)peek32(&f, OP + 48 + offsetof(struct gnttab_copy32, status)), GNTST_okay);
    CHECK_EQ(peek32(&f, PAGE(2) + 8), 0x1234);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, OP, 0, 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, OP, GRANT_BATCH_MOST + 1, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, OP, 0xffffffff, 0), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, XEN_VIRT_START - 24, 2, 0), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_grant_table_op, GNTTABOP_copy, 0xfffffff8, 2, 0), -XEN_EFAULT);
    DONE(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "table", test_table },
        { "access", test_access },
        { "access-refused", test_access_refused },
        { "revoke-while-used", test_revoke_while_used },
        { "use-count-overflow", test_use_count_overflow },
        { "map", test_map },
        { "map-by-entry", test_map_by_entry },
        { "map-refused", test_map_refused },
        { "unmap-wrong", test_unmap_wrong },
        { "handles-run-out", test_handles_run_out },
        { "copy", test_copy },
        { "transfer-refused", test_transfer_refused },
        { "batch", test_batch },
        { NULL, NULL },
    };
    return check_main(argc, argv, "grant tables", tests);
}
