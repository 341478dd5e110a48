/* SPDX-License-Identifier: MIT */
/*
 * The page walker by itself: a guest of four levels on an EPT of four levels, 8 MiB of it visited page by page, more than the TLB holds, so that each
 * visit is a walk. What is counted are the references to memory and what the walker's caches spare; what they cost is another matter.
 */
#include "cli/bench/bench.h"

#include <stdlib.h>

#include "hwassist/vmx/vmx.h"

enum { VISITED = 2048, RAM = 16 << 20, DATA_AT = 8 << 20, ROUNDS = 2 };
#define VISITED_GVA ((gva_t)0x7f8040000000)
#define GUEST_ENTRY 0x67    /* present, writable, user, accessed, dirty */

struct rig {
    struct physmap map;
    struct mmu mmu;
    struct hostmem host;
    struct ept ept;
    u64 *ram, next;         /* the guest's memory, and the first page of it that is no table yet */
};

/* --- tables ------------------------------------------------------------------------------------------ */

static u64 *guest_entry(struct rig *r, gva_t gva)
{
    gpa_t table = 0;
    for (unsigned level = 4;; level--) {
        u64 *e = &r->ram[table / 8 + (gva >> (PAGE_SHIFT + 9 * (level - 1)) & 511)];
        if (level == 1)
            return e;
        if (!*e)
            *e = r->next++ << PAGE_SHIFT | GUEST_ENTRY;
        table = *e & PAGE_MASK;
    }
}

static u64 *nested_entry(struct rig *r, hpa_t root, gpa_t gpa, unsigned leaf)
{
    for (unsigned level = EPT_LEVELS;; level--) {
        u64 *e = &hostmem_table(&r->host, root)[ept_index(gpa, level)];
        if (level == leaf)
            return e;
        if (!*e)
            *e = hostmem_alloc(&r->host) | EPT_RWX;
        root = EPT_FRAME(*e);
    }
}

static void map_guest(struct rig *r)
{
    r->next = 1; /* the first page is the root */
    for (u64 i = 0; i < VISITED; i++)
        *guest_entry(r, VISITED_GVA + i * PAGE_SIZE) = (DATA_AT + i * PAGE_SIZE) | GUEST_ENTRY;
}

static void map_nested(struct rig *r, bool large)
{
    hpa_t root = hostmem_alloc(&r->host);
    unsigned leaf = large ? 2 : 1;
    for (gpa_t gpa = 0; gpa < RAM; gpa += PAGE_SIZE << 9 * (leaf - 1))
        *nested_entry(r, root, gpa, leaf) = (HOST_GUEST_HPA + gpa) | EPT_RWX | EPT_WB | (large ? EPT_PS : 0);
    r->ept.eptp = root | EPTP_WB | EPTP_WALK_4;
    r->mmu.stage2 = &r->ept.stage2;
}

/* --- the rig ----------------------------------------------------------------------------------------- */

static void rig_free(struct rig *r)
{
    mmu_fini(&r->mmu);
    hostmem_fini(&r->host);
    physmap_fini(&r->map);
    free(r);
}

static struct rig *rig_new(const struct walk_setting *s, const struct profile *p, struct error *why)
{
    static const u64 no_pdpte[4];
    struct rig *r = calloc(1, sizeof *r);
    if (!r || physmap_init(&r->map, RAM, why) < 0) {
        free(r);
        return NULL;
    }
    r->ram = (u64 *)physmap_add_ram(&r->map, "ram", 0, RAM, why);
    if (!r->ram || hostmem_init(&r->host, why) < 0) {
        physmap_fini(&r->map);
        free(r);
        return NULL;
    }
    mmu_init(&r->mmu, &r->map);
    ept_init(&r->ept, &r->host, &r->mmu, FEATURE_ALL);
    walk_caches_size(&r->mmu.caches, p->value[COMP_PWC_ENTRIES], p->value[COMP_PWC_HIT], p->value[COMP_NTLB_ENTRIES], p->value[COMP_NTLB_HIT]);
    r->mmu.caches.without = s->without;
    map_guest(r);
    if (s->two_dimensions)
        map_nested(r, s->large_nested);
    mmu_load_regs(&r->mmu, CR0_PG | CR0_PE, 0, CR4_PAE, EFER_LME | EFER_LMA, no_pdpte);
    return r;
}

/* --- what is counted. The first round fills the caches, and does not count ---------------------------- */

static struct walk_result counted(const struct mmu *u)
{
    return (struct walk_result){ u->walks, u->walk_refs, u->caches.entry_hits, u->caches.nested_hits };
}

static bool visit_all(struct rig *r, struct error *why)
{
    struct mmu_fault f;
    gpa_t gpa;
    u8 *hva;
    for (u64 i = 0; i < VISITED; i++) {
        if (mmu_translate(&r->mmu, VISITED_GVA + i * PAGE_SIZE, ACCESS_READ, true, &gpa, &hva, &f) == 0 && gpa == DATA_AT + i * PAGE_SIZE)
            continue;
        error_set(why, "the walk of page %u went astray", (unsigned)i);
        return false;
    }
    return true;
}

bool bench_walks(const struct walk_setting *s, const struct profile *p, struct walk_result *result, struct error *why)
{
    struct rig *r = rig_new(s, p, why);
    struct walk_result before = { 0 };
    bool ok = r;
    if (!ok)
        return false;
    r->mmu.caches.walking = true;
    for (unsigned round = 0; ok && round < ROUNDS; round++) {
        before = counted(&r->mmu);
        ok = visit_all(r, why);
    }
    *result = counted(&r->mmu);
    result->walks -= before.walks;
    result->refs -= before.refs;
    result->entry_hits -= before.entry_hits;
    result->nested_hits -= before.nested_hits;
    rig_free(r);
    return ok;
}

/* Cycles of one walk, if a reference to memory takes `ref`. */
static double walk_cycles(const struct walk_result *r, const struct profile *p, double ref)
{
    return (r->refs * ref + r->entry_hits * (double)p->value[COMP_PWC_HIT] + r->nested_hits * (double)p->value[COMP_NTLB_HIT]) / r->walks;
}

/* --- programs ---------------------------------------------------------------------------------------- */

enum way { NATIVE, NATIVE_CACHED, NESTED, NESTED_CACHED, NESTED_BOTH, NESTED_ALL, WAYS };
static const struct walk_setting ways[WAYS] = {
    [NATIVE] = { false, false, WITHOUT_WALK_CACHE }, [NATIVE_CACHED] = { false, false, 0 }, [NESTED] = { true, false, WITHOUT_WALK_CACHE | WITHOUT_NESTED_TLB },
    [NESTED_CACHED] = { true, false, WITHOUT_NESTED_TLB }, [NESTED_BOTH] = { true, false, 0 }, [NESTED_ALL] = { true, true, 0 },
};

/* The class's own native column says what a reference takes: a perfect TLB gains all cycles of the walks, at one cycle an instruction. */
static double ref_cycles(const struct walk_load *l, const struct walk_result *native)
{
    return l->native_gain / l->misses / ((double)native->refs / native->walks);
}

/* Time of an instruction with its share of walks. */
static double time_of(const struct walk_load *l, const struct walk_result r[WAYS], const struct profile *p, enum way way)
{
    return 1 + l->misses * walk_cycles(&r[way], p, ref_cycles(l, &r[NATIVE]));
}

static double percent_of(const struct walk_load *l, const struct walk_result r[WAYS], const struct profile *p, enum walk_span what)
{
    double time[WAYS];
    for (unsigned i = 0; i < WAYS; i++)
        time[i] = time_of(l, r, p, i);
    switch (what) {
    case WALK_PERFECT: return 100 * (time[NESTED] - 1);
    case WALK_LATENCY: return 100 * (time[NESTED] - 1) / (time[NATIVE] - 1);
    case WALK_CACHE: return 100 * (time[NESTED] / time[NESTED_CACHED] - 1);
    case WALK_NESTED_TLB: return 100 * (time[NESTED_CACHED] / time[NESTED_BOTH] - 1);
    case WALK_LARGE_PAGES: return 100 * (time[NESTED_BOTH] / time[NESTED_ALL] - 1);
    case WALK_OF_NATIVE: return 100 * time[NATIVE_CACHED] / time[NESTED_ALL];
    }
    return 0;
}

bool bench_walk_span(enum walk_span what, const struct walk_load *loads, unsigned n, const struct profile *p, double *low, double *high, struct error *why)
{
    struct walk_result r[WAYS];
    for (unsigned i = 0; i < WAYS; i++)
        if (!bench_walks(&ways[i], p, &r[i], why))
            return false;
    for (unsigned i = 0; i < n; i++) {
        double v = percent_of(&loads[i], r, p, what);
        *low = i && *low < v ? *low : v;
        *high = i && *high > v ? *high : v;
    }
    return true;
}
