/* SPDX-License-Identifier: MIT */
#include "hwassist/vmx/ept.h"

#include "hwassist/vmx/vmcs.h"

/* Guest-physical memory lies on the modelled host at its own place; the physmap is indexed by gpa. An hpa that is not of
 * this guest's is given an address where nothing is. */
static gpa_t physmap_address(hpa_t hpa)
{
    return hpa >= HOST_GUEST_HPA ? hpa - HOST_GUEST_HPA : hpa | BIT(51);
}

/* SDM vol. 3, 29.3.3.1: write without read, a reserved bit, or a reserved memory type. */
static bool misconfigured(const struct ept *e, u64 entry, unsigned level, bool leaf)
{
    u64 reserved = (BIT(52) - 1) & ~(BIT(e->phys_bits) - 1);
    unsigned memtype = entry >> 3 & 7;
    if (level == 4)
        reserved |= 0xf8;
    else if (!leaf)
        reserved |= 0xf8;
    else if (level > 1)
        reserved |= (BIT(12 + 9 * (level - 1)) - 1) & ~(BIT(12) - 1);
    if ((entry & (EPT_R | EPT_W)) == EPT_W || entry & reserved)
        return true;
    return leaf && (memtype == 2 || memtype == 3 || memtype == 7);
}

static bool is_leaf(const struct ept *e, u64 entry, unsigned level)
{
    return level == 1 || (entry & EPT_PS && level <= e->largest);
}

static int refuse(struct mmu_fault *f, gpa_t gpa, u64 qualification, bool misconfig)
{
    f->kind = FAULT_STAGE2;
    f->gpa = gpa;
    f->qualification = qualification;
    f->misconfig = misconfig;
    return -1;
}

/* What kind of access is it for EPT? With A/D flags on, the processor's accesses to guest paging structures count as
 * writes (SDM vol. 3, 29.3.3.2). */
static u64 access_bits(const struct ept *e, enum mmu_access a, bool paging_structure)
{
    static const u8 bits[] = { [ACCESS_READ] = EPT_R, [ACCESS_WRITE] = EPT_W, [ACCESS_EXEC] = EPT_X };
    if (!paging_structure)
        return bits[a];
    return a == ACCESS_WRITE || e->eptp & EPTP_AD ? EPT_R | EPT_W : EPT_R;
}

static void set_flags(u64 *path[EPT_LEVELS], unsigned n, bool write)
{
    for (unsigned i = 0; i < n; i++)
        *path[i] |= EPT_A;
    if (write)
        *path[n - 1] |= EPT_D;
}

/* Accesses of the APIC-access page that the processor serves itself (SDM vol. 3, 30.4). */
static bool apic_allows(const struct ept *e, gpa_t gpa, enum mmu_access a)
{
    const u64 *set = a == ACCESS_WRITE ? e->apic_writable : a == ACCESS_READ ? e->apic_readable : NULL;
    unsigned reg = gpa >> 4 & 255;
    return set && set[reg / 64] >> reg % 64 & 1;
}

/* An APIC-access exit: the qualification is the kind of access. */
static int refuse_apic(struct ept *e, struct mmu_fault *f, gpa_t gpa, enum mmu_access a)
{
    e->apic_refused = true;
    return refuse(f, gpa, a, false);
}

/* An entry of the EPT is read, on the walk's behalf. */
static void count_read(struct ept *e, hpa_t at, bool keep)
{
    bool made = walk_caches_read(&e->mmu->caches, at, DIMENSION_NESTED, keep);
    e->refs += made;
    e->mmu->walk_refs += made;
}

/* The entries of one walk, from the top: where each is, in the host's memory and in ours. */
struct path { hpa_t at[EPT_LEVELS]; u64 *entry[EPT_LEVELS]; unsigned n; u64 allowed; };

/* SDM vol. 3, 29.4.3.1: a violation invalidates what would serve to translate its gpa. */
static int violation(struct ept *e, struct mmu_fault *f, gpa_t gpa, u64 qualification, const struct path *p)
{
    for (unsigned i = 0; i < p->n; i++)
        walk_caches_drop_entry(&e->mmu->caches, p->at[i], DIMENSION_NESTED);
    walk_caches_drop_gpa(&e->mmu->caches, gpa);
    return refuse(f, gpa, qualification, false);
}

/* A guest's paging structure: has its place been found already, by the nested TLB, or because its entry, which was just read, is now written to
 * (accessed and dirty flags)? */
static bool is_known(struct ept *e, gpa_t gpa, enum mmu_access a, bool paging_structure)
{
    return paging_structure && (a == ACCESS_WRITE || walk_caches_find(&e->mmu->caches, gpa));
}

/* Down to the leaf, which is at level EPT_LEVELS + 1 - n. */
static int descend(struct ept *e, gpa_t gpa, u64 qualification, bool known, struct path *p, struct mmu_fault *f)
{
    hpa_t table = EPT_FRAME(e->eptp);
    *p = (struct path){ .allowed = EPT_RWX };
    for (unsigned level = EPT_LEVELS;; level--) {
        u64 *entries = hostmem_table(e->host, table), entry;
        if (!entries) /* a table where the model has no memory: reads of nothing give ones, which is no valid entry */
            return refuse(f, gpa, 0, true);
        p->at[p->n] = table + 8 * ept_index(gpa, level);
        entry = *(p->entry[p->n++] = &entries[ept_index(gpa, level)]);
        bool present = entry & EPT_RWX, leaf = is_leaf(e, entry, level), bad = present && misconfigured(e, entry, level, leaf);
        if (!known)
            count_read(e, p->at[p->n - 1], present && !bad && !leaf);
        p->allowed &= entry;
        if (!present)
            return violation(e, f, gpa, qualification, p);
        if (bad)
            return refuse(f, gpa, 0, true);
        if (leaf)
            return 0;
        table = EPT_FRAME(entry);
    }
}

static int translate(struct stage2 *s, gpa_t gpa, enum mmu_access a, bool paging_structure, gpa_t *out, u8 *perms, struct mmu_fault *f)
{
    struct ept *e = (struct ept *)s;
    u64 want = access_bits(e, a, paging_structure), qualification = want | EPTQ_LINEAR_VALID | (paging_structure ? 0 : EPTQ_FINAL);
    bool known = is_known(e, gpa, a, paging_structure);
    struct path p;
    e->apic_refused = false;
    if (descend(e, gpa, qualification, known, &p, f) < 0)
        return -1;
    if (want & ~p.allowed)
        return violation(e, f, gpa, qualification | p.allowed << 3, &p);
    if (e->eptp & EPTP_AD)
        set_flags(p.entry, p.n, want & EPT_W);
    if (known && a != ACCESS_WRITE)
        walk_caches_spare(&e->mmu->caches, p.n);
    else if (paging_structure && !known)
        walk_caches_keep(&e->mmu->caches, gpa);
    hpa_t frame = EPT_FRAME(*p.entry[p.n - 1]);
    s->by_register = e->apic_access && p.n == EPT_LEVELS && frame == e->apic_access;
    if (s->by_register && !apic_allows(e, gpa, a))
        return refuse_apic(e, f, gpa, a);
    *out = physmap_address(frame | (gpa & (BIT(PAGE_SHIFT + 9 * (EPT_LEVELS - p.n)) - 1)));
    *perms = (p.allowed & EPT_R ? PERM_R : 0) | (p.allowed & EPT_W ? PERM_W : 0) | (p.allowed & EPT_X ? PERM_X : 0);
    return 0;
}

void ept_init(struct ept *e, const struct hostmem *host, struct mmu *mmu, u32 features)
{
    *e = (struct ept){ .stage2 = { .translate = translate }, .host = host, .phys_bits = mmu->phys_bits, .mmu = mmu,
                       .largest = features & FEATURE_EPT_1G ? 3 : features & FEATURE_EPT_2M ? 2 : 1 };
}

static int translate_host(struct stage2 *s, gpa_t hpa, enum mmu_access a, bool paging_structure, gpa_t *out, u8 *perms, struct mmu_fault *f)
{
    struct ept *e = ((struct host_view *)s)->ept;
    e->apic_refused = false;
    s->by_register = !paging_structure && e->apic_access && (hpa & PAGE_MASK) == e->apic_access;
    if (s->by_register && !apic_allows(e, hpa, a))
        return refuse_apic(e, f, hpa, a);
    *out = paging_structure ? hpa : physmap_address(hpa);
    *perms = PERM_R | PERM_W | PERM_X;
    return 0;
}

void host_view_init(struct host_view *v, struct hostmem *host, struct ept *ept)
{
    *v = (struct host_view){ .stage2 = { .translate = translate_host, .tables = &host->map }, .ept = ept };
}
