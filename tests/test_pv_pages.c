/* SPDX-License-Identifier: MIT */
/* The small Xen: direct paging: types, counts, checked updates, and every way to forge a page table. */
#include "pvtest.h"

static void test_update_va_mapping(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), b = mfn_of(&f, PAGE(1));
    CHECK_EQ(update_va(&f, PAGE(0), entry(b, RW)), 0);
    CHECK_EQ(pte_of(&f, PAGE(0)), entry(b, RW));
    CHECK_EQ(f.d->frame[b].type_count, 2);
    CHECK_EQ(f.d->frame[a].refs, 0);
    CHECK_EQ(update_va(&f, PAGE(0), 0), 0);
    CHECK_EQ(update_va(&f, PAGE(0), entry(a, RW)), 0);
    CHECK_EQ(update_va(&f, 0x1000, 0), -XEN_EINVAL);            /* no table there */
    CHECK_EQ(update_va(&f, M2P_VIRT_START, 0), -XEN_EINVAL);    /* the hypervisor's table */
    CHECK_EQ(update_va(&f, GDT_VIRT, entry(a, RW)), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_update_va_mapping, PAGE(0), entry(a, RW), 0, 3), -XEN_EINVAL); /* no such flush */
    DONE(f);
}

static void test_entries_that_are_refused(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0));
    u64 before = pte_of(&f, PAGE(0));
    const u64 bad[] = {
        entry(f.d->pool[0], PTE_P), entry(f.d->pool[0], RW),    /* the machine-to-physical table */
        entry(f.d->xen_l1_private, PTE_P), entry(0, PTE_P),     /* the hypervisor's, the PC's low memory */
        entry(f.d->nframes, PTE_P), entry(0xfffffff, RW), entry(a, RW) | BIT(51), entry(a, RW) | BIT(52) | BIT(62),
        entry(a, RW | PTE_PSE), entry(a, RW | 0x10),
        entry(f.d->v.base_mfn, RW),                             /* the page-table base, writable */
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        check_context("entry %u 0x%llx", i, (unsigned long long)bad[i]);
        CHECK_EQ(update_va(&f, PAGE(0), bad[i]), -XEN_EINVAL);
        CHECK_EQ(pte_of(&f, PAGE(0)), before);
        CHECK_STR(audit(&f), "");
    }
    check_context(NULL);
    CHECK_EQ(update_va(&f, PAGE(0), entry(f.d->v.base_mfn, PTE_P)), 0); /* to read it is fine */
    CHECK_EQ(update_va(&f, PAGE(0), entry(f.d->shared_mfn, RW)), 0);
    DONE(f);
}

static void test_mmu_update(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), b = mfn_of(&f, PAGE(1));
    u64 at = pte_address(&f, PAGE(0));
    CHECK_EQ(mmu_update(&f, at, entry(b, RW | PTE_A)), 0);
    CHECK_EQ(mmu_update(&f, at | MMU_PT_UPDATE_PRESERVE_AD, entry(b, PTE_P)), 0);
    CHECK_EQ(pte_of(&f, PAGE(0)), entry(b, PTE_P | PTE_A));
    CHECK_EQ(mmu_update(&f, at, entry(a, RW)), 0);
    CHECK_EQ(mmu_update(&f, at + 4, entry(a, RW)), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(f.d->nframes) + 8, 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(f.d->pool[0]), 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(a) + 16, 0x1234), 0); /* an ordinary page: an ordinary write */
    CHECK_EQ(peek64(&f, PAGE(0) + 16), 0x1234);
    CHECK_EQ(mmu_update(&f, maddr(a) | MMU_MACHPHYS_UPDATE, 77), 0);
    CHECK_EQ(f.d->m2p[a], 77);
    CHECK_EQ(mmu_update(&f, maddr(f.d->shared_mfn) | MMU_MACHPHYS_UPDATE, 77), -XEN_EINVAL);
    DONE(f);
}

static void test_mmu_update_batch(void)
{
    WITH(f);
    u64 at = pte_address(&f, PAGE(0));
    struct mmu_update u[3] = { { at, 0 }, { 1ull << 40, 0 }, { at + 8, 0 } };
    poke(&f, PAGE(5), u, sizeof u);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 3, PAGE(6), DOMID_SELF), -XEN_EINVAL);
    CHECK_EQ(peek32(&f, PAGE(6)), 1); /* one was done */
    CHECK(pte_of(&f, PAGE(1)) & PTE_P);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 1, 0, 5), -XEN_EPERM);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 1, 0, DOMID_INVALID), -XEN_ESRCH);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, 0x1000, 1, 0, DOMID_SELF), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, XEN_VIRT_START - 8, 1, 0, DOMID_SELF), -XEN_EFAULT);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 0x7fffffff, 0, DOMID_SELF), -XEN_EINVAL);
    CHECK_EQ(call(&f, __HYPERVISOR_mmu_update, PAGE(5), 1, M2P_VIRT_START, DOMID_SELF), -XEN_EFAULT);
    DONE(f);
}

static void test_pin_l1(void)
{
    WITH(f);
    u32 other = mfn_of(&f, PAGE(2)), mfn = mfn_of(&f, PAGE(0));
    poke64(&f, PAGE(0) + 5 * 8, entry(other, RW));
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL); /* still mapped writable */
    detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
    CHECK_EQ(f.d->frame[mfn].type, TYPE_L1);
    CHECK_EQ(f.d->frame[other].type_count, 2);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), -XEN_EINVAL);  /* not writable while it is a table */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL); /* twice */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_CLEAR_PAGE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, mfn, other), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(mfn) + 8, entry(mfn, RW)), -XEN_EINVAL); /* nor through itself */
    CHECK_STR(audit(&f), "");
    CHECK_EQ(mmuext(&f, MMUEXT_UNPIN_TABLE, mfn, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_UNPIN_TABLE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(f.d->frame[other].type_count, 1);
    CHECK_EQ(update_va(&f, PAGE(0), entry(mfn, RW)), 0);
    DONE(f);
}

/* A table that is refused in the middle leaves no reference behind. */
static void test_pin_is_all_or_nothing(void)
{
    WITH(f);
    u32 other = mfn_of(&f, PAGE(2));
    poke64(&f, PAGE(0), entry(other, RW));
    poke64(&f, PAGE(0) + 511 * 8, entry(f.d->pool[0], RW)); /* the hypervisor's frame, last */
    u32 mfn = detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);
    CHECK_EQ(f.d->frame[mfn].type_count, 0);
    CHECK_EQ(f.d->frame[other].type_count, 1);
    CHECK_STR(audit(&f), "");
    poke64(&f, PAGE(0), entry(mfn, RW)); /* a table that maps itself writable */
    poke64(&f, PAGE(0) + 511 * 8, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), -XEN_EINVAL);
    DONE(f);
}

static void test_forged_directories(void)
{
    WITH(f);
    u32 l2 = mfn_of(&f, PAGE(0)), plain = mfn_of(&f, PAGE(1)), l1 = mfn_of(&f, PAGE(2));
    poke64(&f, PAGE(0), entry(plain, RW | PTE_USER)); /* an L1 that somebody can write */
    detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    poke64(&f, PAGE(0), entry(l2, RW));               /* itself */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    poke64(&f, PAGE(0), entry(f.d->xen_l1_private, RW));
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    poke64(&f, PAGE(0), entry(l1, RW | PTE_PSE));     /* 2 MiB of machine memory at once */
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), -XEN_EINVAL);
    CHECK_STR(audit(&f), "");
    detach(&f, 2);
    poke64(&f, PAGE(0), entry(l1, RW));
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L2_TABLE, l2, 0), 0);
    CHECK_EQ(f.d->frame[l1].type, TYPE_L1);
    CHECK_EQ(mmu_update(&f, maddr(l2) + 8, entry(plain, RW)), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l2), 0), 0);
    CHECK_EQ(f.d->frame[l1].type_count, 0);
    DONE(f);
}

/* Build an address space of its own: L3, and a copy of the directory of slot 3. */
static u32 second_space(struct fixture *f)
{
    const start_info32 *s = start_info(f);
    u8 copy[4096];
    memcpy(copy, frame_hva(f->d, mfn_of(f, s->pt_base + 4096)), sizeof copy);
    memset(copy + XEN_FIRST_L2_SLOT * 8, 0x41, sizeof copy - XEN_FIRST_L2_SLOT * 8); /* forged hypervisor slots */
    poke(f, PAGE(11), copy, sizeof copy);
    poke64(f, PAGE(10) + 3 * 8, entry(mfn_of(f, PAGE(11)), RW | PTE_USER | PTE_A) /* as on a 64-bit Xen */);
    detach(f, 11);
    return detach(f, 10);
}

static void test_second_address_space(void)
{
    WITH(f);
    u32 first = f.d->v.base_mfn, l3 = second_space(&f), l2 = mfn_of(&f, PAGE(11));
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, l3, 0), 0);
    CHECK_EQ(f.d->v.base_mfn, l3);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.pdpte[3], entry(l2, PTE_P));
    CHECK(!memcmp(frame_hva(f.d, l2) + XEN_FIRST_L2_SLOT * 8, f.d->xen_l2, sizeof f.d->xen_l2)); /* Xen's own again */
    CHECK_EQ(mmu_update(&f, maddr(l2) + XEN_FIRST_L2_SLOT * 8, 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l2) + 511 * 8, 0), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l3) + 3 * 8, 0), -XEN_EINVAL);   /* the slot where Xen lives stays */
    CHECK_EQ(mmu_update(&f, maddr(l3) + 4 * 8, 0), -XEN_EINVAL);   /* there is no fifth */
    CHECK_EQ(mmu_update(&f, maddr(l3), entry(l2, PTE_P)), -XEN_EINVAL);
    CHECK_EQ(mmu_update(&f, maddr(l3), entry(mfn_of(&f, PAGE(20)), PTE_P | 0x100)), -XEN_EINVAL);
    CHECK_STR(audit(&f), "");
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, first, 0), 0);
    CHECK_EQ(f.d->frame[l3].type_count, 0);
    CHECK_EQ(f.d->frame[l2].type_count, 0);
    DONE(f);
}

static void test_directory_of_slot_3_is_not_shared(void)
{
    WITH(f);
    u32 l3 = second_space(&f), copy = mfn_of(&f, PAGE(12));
    poke64(&f, PAGE(12) + 3 * 8, entry(mfn_of(&f, PAGE(11)), PTE_P));
    detach(&f, 12);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L3_TABLE, l3, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L3_TABLE, copy, 0), -XEN_EINVAL);
    poke64(&f, PAGE(12) + 3 * 8, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L3_TABLE, copy, 0), -XEN_EINVAL); /* nor may it be missing */
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, copy, 0), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_BASEPTR, f.d->pool[0], 0), -XEN_EINVAL);
    DONE(f);
}

static void test_counts_do_not_wrap(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), refs = f.d->frame[a].refs, count = f.d->frame[a].type_count;
    f.d->frame[a].refs = UINT32_MAX;
    CHECK_EQ(update_va(&f, PAGE(1), entry(a, PTE_P)), -XEN_EBUSY);
    f.d->frame[a].refs = refs;
    f.d->frame[a].type_count = UINT32_MAX;
    CHECK_EQ(update_va(&f, PAGE(1), entry(a, RW)), -XEN_EBUSY);
    f.d->frame[a].type_count = count;
    DONE(f);
}

static void test_mmuext_others(void)
{
    WITH(f);
    u32 a = mfn_of(&f, PAGE(0)), b = mfn_of(&f, PAGE(1));
    poke32(&f, PAGE(0), 0x55);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, b, a), 0);
    CHECK_EQ(peek32(&f, PAGE(1)), 0x55);
    CHECK_EQ(mmuext(&f, MMUEXT_CLEAR_PAGE, b, 0), 0);
    CHECK_EQ(peek32(&f, PAGE(1)), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_COPY_PAGE, b, f.d->pool[0]), -XEN_EINVAL); /* no reading of Xen's memory */
    CHECK_EQ(mmuext(&f, MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_INVLPG_LOCAL, PAGE(0), 0), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_FLUSH_CACHE, 0, 0), -XEN_EACCES);
    CHECK_EQ(mmuext(&f, MMUEXT_NEW_USER_BASEPTR, a, 0), -XEN_ENOSYS);
    CHECK_EQ(mmuext(&f, 99, 0, 0), -XEN_ENOSYS);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3) + 8, 16), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3), 8193), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, 0xf57ff000, 1024), -XEN_EINVAL);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3), 16), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, 0, 0), 0);
    DONE(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "update-va-mapping", test_update_va_mapping },
        { "entries-that-are-refused", test_entries_that_are_refused },
        { "mmu-update", test_mmu_update },
        { "mmu-update-batch", test_mmu_update_batch },
        { "pin-l1", test_pin_l1 },
        { "pin-is-all-or-nothing", test_pin_is_all_or_nothing },
        { "forged-directories", test_forged_directories },
        { "second-address-space", test_second_address_space },
        { "directory-of-slot-3-is-not-shared", test_directory_of_slot_3_is_not_shared },
        { "counts-do-not-wrap", test_counts_do_not_wrap },
        { "mmuext-others", test_mmuext_others },
        { NULL, NULL },
    };
    return check_main(argc, argv, "direct paging", tests);
}
