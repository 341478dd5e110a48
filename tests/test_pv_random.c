/* SPDX-License-Identifier: MIT */
/* The small Xen: random hypercalls: whatever they are given, the counts stay true and nothing of Xen's is mapped. */
#include "pvtest.h"

static u32 random_argument(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    switch (r % 8) {
    case 0: return r >> 32;
    case 1: return r >> 32 & 0xff;
    case 2: return PAGE(r >> 8 & 63) | (r >> 32 & 0xffc);
    case 3: return mfn_of(f, PAGE(r >> 8 & 63));
    case 4: return 0xffffffff - (r >> 32 & 0xfff);
    case 5: return XEN_VIRT_START - (r >> 32 & 0x1f);
    case 6: return DOMID_SELF;
    }
    return r >> 32 & 0xf;
}

/* A page-table entry that is more often than not plausible. */
static u64 random_entry(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    if (r % 8 == 0)
        return check_random(seed);
    if (r % 8 == 1)
        return 0;
    return entry(mfn_of(f, PAGE(r >> 8 & 15)), (r >> 16 & 7) | PTE_P);
}

/* The guest writes wherever its tables let it. */
static void random_store(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    u32 page = PAGE(r & 15);
    if ((pte_of(f, page) & RW) == RW)
        poke64(f, page + (r >> 8 & 3) * 8, random_entry(f, seed));
}

static s32 random_table_request(struct fixture *f, u64 *seed)
{
    u64 r = check_random(seed);
    u32 page = PAGE(r >> 8 & 15), own = mfn_of(f, page), mfn = mfn_of(f, PAGE(r >> 16 & 15));
    switch (r % 8) {
    case 0: return update_va(f, page, random_entry(f, seed));
    case 1: return update_va(f, page, entry(own, RW));
    case 2: return update_va(f, page, entry(own, PTE_P));
    case 3: return mmu_update(f, maddr(mfn) + (r >> 24 & 3) * 8 + (r >> 28 & 1) * 2, random_entry(f, seed));
    case 4: return mmuext(f, r >> 24 & 3, mfn, 0);  /* pin as L1 to L4 */
    case 5: return mmuext(f, MMUEXT_UNPIN_TABLE, mfn, 0);
    case 6: return mmuext(f, MMUEXT_CLEAR_PAGE, mfn, 0);
    }
    poke32(f, PAGE(60), mfn);
    return call(f, __HYPERVISOR_set_gdt, PAGE(60), r >> 24 & 0x1ff, 0, 0);
}

static void test_random_tables(void)
{
    u64 seed = check_seed();
    unsigned accepted[2] = { 0 };
    WITH(f);
    for (unsigned i = 0; i < 8000; i++) {
        random_store(&f, &seed);
        accepted[random_table_request(&f, &seed) >= 0]++;
        if (i % 16 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    check_context("refused %u, accepted %u; made l1 %llu, l2 %llu, l2-xen %llu, l3 %llu, segdesc %llu", accepted[0], accepted[1], (unsigned long long)f.d->types_made[TYPE_L1],
                  (unsigned long long)f.d->types_made[TYPE_L2], (unsigned long long)f.d->types_made[TYPE_L2_XEN], (unsigned long long)f.d->types_made[TYPE_L3], (unsigned long long)f.d->types_made[TYPE_SEGDESC]);
    CHECK(accepted[0] > 500 && accepted[1] > 500); /* both ways were taken often */
    CHECK(f.d->types_made[TYPE_L1] > 20 && f.d->types_made[TYPE_L2] > 5 && f.d->types_made[TYPE_SEGDESC] > 5);
    DONE(f);
}

static void test_random_hypercalls(void)
{
    u64 seed = check_seed();
    WITH(f);
    for (unsigned i = 0; i < 6000 && !f.d->ended; i++) {
        u32 nr = check_random(&seed) % 36, arg[6];
        for (unsigned k = 0; k < 6; k++)
            arg[k] = random_argument(&f, &seed);
        random_store(&f, &seed);
        if (nr == __HYPERVISOR_iret || nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_sched_op_compat || nr == __HYPERVISOR_vcpu_op)
            continue; /* these may end it, as they should */
        hypercall_call(f.d, nr, arg);
        if (i % 64 == 0 && !CHECK_STR(audit(&f), ""))
            break;
    }
    DONE(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "random-tables", test_random_tables },
        { "random-hypercalls", test_random_hypercalls },
        { NULL, NULL },
    };
    return check_main(argc, argv, "random hypercalls", tests);
}
