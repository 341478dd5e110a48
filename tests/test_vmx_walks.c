/* SPDX-License-Identifier: MIT */
/*
 * The page walker's caches (--timing=model): what they hold, what they spare, and what throws it away (SDM vol. 3, 4.10.4.1, 29.4.3). A guest of four
 * levels on an EPT of four: 24 references, of which 20 are the EPT's.
 */
#include "cli/bench/bench.h"
#include "vmxrig.h"

enum { DATA_PAGES = 4 };
static struct machine m;
static struct mmu *u;

/* Four levels at GUEST_TABLES_AT; gva page i < DATA_PAGES is at GUEST_DATA_AT + i pages. */
static void begin(u64 entries, u64 nested)
{
    static const u64 no_pdpte[4];
    machine_init(&m);
    u = &m.g.cpu.mmu;
    for (int level = 0; level < 3; level++) {
        u64 entry = (GUEST_TABLES_AT + (level + 1) * PAGE_SIZE) | 0x67;
        guest_put(&m.g, GUEST_TABLES_AT + level * PAGE_SIZE, &entry, 8);
    }
    for (int i = 0; i < DATA_PAGES; i++) {
        u64 entry = (GUEST_DATA_AT + i * PAGE_SIZE) | 0x67;
        guest_put(&m.g, GUEST_TABLES_AT + 3 * PAGE_SIZE + 8 * i, &entry, 8);
    }
    vmx_derive_intercepts(&m.x);
    walk_caches_size(&u->caches, entries, 2, nested, 2);
    mmu_load_regs(u, CR0_PG | CR0_PE, GUEST_TABLES_AT, CR4_PAE, EFER_LME | EFER_LMA, no_pdpte);
}

static void end(void) { machine_fini(&m); }

struct spent { u64 refs, entries, nested; };
static struct spent visit(unsigned page)
{
    struct spent s = { u->walk_refs, u->caches.entry_hits, u->caches.nested_hits };
    struct mmu_fault f;
    gpa_t gpa;
    u8 *hva;
    u->caches.walking = true;
    CHECK_EQ(mmu_translate(u, page * PAGE_SIZE + 5, ACCESS_READ, false, &gpa, &hva, &f), 0);
    u->caches.walking = false;
    CHECK_EQ(gpa, GUEST_DATA_AT + page * PAGE_SIZE + 5);
    return (struct spent){ u->walk_refs - s.refs, u->caches.entry_hits - s.entries, u->caches.nested_hits - s.nested };
}

/* The first walk: nothing is held at its beginning, but the EPT's upper entries serve again within it. */
static void test_first_walk(void)
{
    begin(24, 16);
    struct spent s = visit(0);
    CHECK_EQ(s.refs + s.entries, 24);
    CHECK_EQ(s.entries, 4 * 3); /* the three upper entries of the EPT, for the second to fourth table and for the page */
    CHECK_EQ(s.nested, 0);
    end();
}

/* The next page: four tables are where the nested TLB says, three entries of the guest and three of the EPT are cached; two last entries are read. */
static void test_next_walk(void)
{
    begin(24, 16);
    visit(0);
    struct spent s = visit(1);
    CHECK_EQ(s.refs, 2);
    CHECK_EQ(s.entries, 6);
    CHECK_EQ(s.nested, 4);
    CHECK_EQ(u->caches.saved, 4 * 3 + 6 + 4 * 4);
    CHECK_EQ(u->caches.hit_cycles, 2 * (12 + 6 + 4));
    end();
}

static void test_each_off(void)
{
    begin(24, 16);
    u->caches.without = WITHOUT_NESTED_TLB;
    visit(0);
    struct spent s = visit(1);
    CHECK_EQ(s.refs, 4 + 2);    /* the last entry of the EPT's walk for each of four tables is in no cache then */
    CHECK_EQ(s.nested, 0);
    u->caches.without = WITHOUT_WALK_CACHE;
    s = visit(2);
    CHECK_EQ(s.refs, 4 + 4);
    CHECK_EQ(s.nested, 4);
    u->caches.without = WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB;
    CHECK_EQ(visit(3).refs, 24);
    end();
    begin(0, 0);                /* or where the processor has none */
    visit(0);
    CHECK_EQ(visit(1).refs, 24);
    end();
}

/* --- invalidation --- */

static void by_cr3(void) { mmu_set_regs(u, u->cr0, u->cr3, u->cr4, u->efer); }
static void by_invlpg(void) { mmu_invlpg(u, 0x123000); }
static void by_invvpid(void) { CHECK_EQ(vmx_invvpid(&m.x, INVVPID_SINGLE, 1, 0), 0); }
static void by_invvpid_address(void) { CHECK_EQ(vmx_invvpid(&m.x, INVVPID_ADDRESS, 1, 0x123000), 0); }
static void by_invvpid_other(void) { CHECK_EQ(vmx_invvpid(&m.x, INVVPID_SINGLE, 2, 0), 0); }
static void by_invept(void) { CHECK_EQ(vmx_invept(&m.x, INVEPT_ALL, 0, 0), 0); }
static void by_invept_other(void) { CHECK_EQ(vmx_invept(&m.x, INVEPT_SINGLE, 0x5000 | EPTP_WB | EPTP_WALK_4, 0), 0); }
static void by_neighbor(void) { mmu_compete(u, &m.g.cpu.mmu); }

static const struct { const char *name; void (*what)(void); bool guest, nested; /* gone */ } invalidations[] = {
    { "MOV to CR3", by_cr3, true, false }, { "INVLPG, of any address", by_invlpg, true, false },
    { "INVVPID", by_invvpid, true, false }, { "INVVPID of one address", by_invvpid_address, true, false }, { "INVVPID of another VPID", by_invvpid_other, false, false },
    { "INVEPT", by_invept, true, true }, { "INVEPT of another EPT", by_invept_other, false, false },
    { "another machine's turn", by_neighbor, true, true },
};

static void test_invalidations(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(invalidations); i++) {
        check_context("%s", invalidations[i].name);
        begin(24, 16);
        m.x.vpid = 1;
        m.x.tagged_tables = EPT_FRAME(vmread(&m.x.vmcs, EPT_POINTER));
        visit(0);
        visit(1);
        invalidations[i].what();
        struct spent s = visit(2);
        u64 guest = invalidations[i].guest ? 3 : 0;
        if (invalidations[i].nested)
            CHECK_EQ(s.refs + s.entries, 24);
        else
            CHECK_EQ(s.refs, 2 + guest);
        end();
    }
}

/* Entries and exits without VPID throw away what came from guest tables; what is known of the EPT stays (29.4.3.2). */
static void test_transitions(void)
{
    for (unsigned vpid = 0; vpid < 2; vpid++) {
        check_context("VPID %s", vpid ? "on" : "off");
        machine_init(&m);
        u = &m.g.cpu.mmu;
        if (!vpid)
            vmwrite(&m.x.vmcs, PROC2_CONTROLS, vmread(&m.x.vmcs, PROC2_CONTROLS) & ~(u64)PROC2_VPID);
        guest_paging(&m.g);
        m.g.cpu.timing_model = true;
        walk_caches_size(&u->caches, 24, 2, 16, 2);
        CHECK_EQ(enter(&m), VMX_EXIT);
        m.g.cpu.state.rip = GUEST_CODE_AT;
        u64 refs = u->walk_refs, nested = u->caches.nested_hits;
        CHECK_EQ(enter(&m), VMX_EXIT);
        CHECK_EQ(u->walk_refs - refs, vpid ? 0 : 3);  /* the guest's directory and table, the EPT's last entry */
        CHECK_EQ(u->caches.nested_hits - nested, vpid ? 0 : 2);
        machine_fini(&m);
    }
}

/* A violation takes with it what served to translate its gpa; the table of another page is still known. */
static void test_violation(void)
{
    struct mmu_fault f;
    gpa_t gpa;
    u8 *hva;
    begin(24, 16);
    visit(0);
    hpa_t table = EPT_FRAME(vmread(&m.x.vmcs, EPT_POINTER));
    for (unsigned level = EPT_LEVELS; level > 1; level--)
        table = EPT_FRAME(hostmem_table(&m.host, table)[ept_index(GUEST_DATA_AT, level)]);
    u64 *entry = &hostmem_table(&m.host, table)[ept_index(GUEST_DATA_AT + PAGE_SIZE, 1)], was = *entry;
    *entry = 0;
    u->caches.walking = true;
    CHECK_EQ(mmu_translate(u, PAGE_SIZE, ACCESS_READ, false, &gpa, &hva, &f), -1);
    CHECK_EQ(f.kind, FAULT_STAGE2);
    u->caches.walking = false;
    *entry = was;
    struct spent s = visit(1);
    CHECK_EQ(s.nested, 4);
    CHECK_EQ(s.entries, 3);         /* the guest's; those of the EPT were on the way to the gpa */
    CHECK_EQ(s.refs, 1 + 4);
    end();
}

/* --- the caches themselves --- */

static void test_least_recently_used(void)
{
    struct walk_caches w = { .walking = true };
    walk_caches_size(&w, 2, 1, 0, 1);
    CHECK(walk_caches_read(&w, 0x1000, DIMENSION_GUEST, true));
    CHECK(walk_caches_read(&w, 0x2000, DIMENSION_GUEST, true));
    CHECK(!walk_caches_read(&w, 0x1000, DIMENSION_GUEST, true));
    CHECK(walk_caches_read(&w, 0x3000, DIMENSION_GUEST, true));     /* 2000 goes */
    CHECK(!walk_caches_read(&w, 0x1000, DIMENSION_GUEST, true));
    CHECK(walk_caches_read(&w, 0x2000, DIMENSION_GUEST, true));
    CHECK(walk_caches_read(&w, 0x1000, DIMENSION_NESTED, true));    /* another dimension: another entry */
    CHECK(walk_caches_read(&w, 0x4000, DIMENSION_GUEST, false));    /* a last entry is not kept */
    CHECK(walk_caches_read(&w, 0x4000, DIMENSION_GUEST, false));
    CHECK(!walk_caches_find(&w, 0x1000));
    walk_caches_keep(&w, 0x1000);
    CHECK(!walk_caches_find(&w, 0x1000));                           /* no room at all */
    walk_caches_size(&w, 1000, 1, ~(u64)0, 1);
    CHECK_EQ(w.entries.room, WALK_CACHE_MOST);
    for (u64 i = 0; i < 100; i++)
        walk_caches_keep(&w, i << PAGE_SHIFT);
    CHECK(!walk_caches_find(&w, 35 << PAGE_SHIFT) && walk_caches_find(&w, 36 << PAGE_SHIFT));
}

/* The emulator's own look-ups leave them alone. */
static void test_not_walking(void)
{
    struct mmu_fault f;
    struct xlat x;
    begin(24, 16);
    CHECK_EQ(mmu_walk(u, 0, ACCESS_READ, false, &x, &f), 0);
    CHECK_EQ(u->caches.entries.used + u->caches.nested.used, 0);
    end();
}

/* --- the bench's walks --- */

static void test_bench(void)
{
    static const struct { struct walk_setting s; u64 refs; } rows[] = {
        { { false, false, WITHOUT_WALK_CACHE }, 4 }, { { true, false, WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB }, 24 },
        { { true, true, WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB }, 4 * 4 + 3 }, { { true, true, 0 }, 2 },
    };
    struct profile p;
    struct error err;
    struct walk_result r;
    CHECK_EQ(profile_load(&p, "curriculum", &err), 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        check_context("setting %u", i);
        CHECK(bench_walks(&rows[i].s, &p, &r, &err));
        CHECK_EQ(r.walks, 2048);
        CHECK_EQ(r.refs / r.walks, rows[i].refs);
    }
    profile_fini(&p);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "first_walk", test_first_walk },
        { "next_walk", test_next_walk },
        { "each_off", test_each_off },
        { "invalidations", test_invalidations },
        { "transitions", test_transitions },
        { "violation", test_violation },
        { "least_recently_used", test_least_recently_used },
        { "not_walking", test_not_walking },
        { "bench", test_bench },
        { NULL, NULL },
    };
    return check_main(argc, argv, "vmx walks", tests);
}
