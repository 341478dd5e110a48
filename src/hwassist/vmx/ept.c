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

static int translate(struct stage2 *s, gpa_t gpa, enum mmu_access a, bool paging_structure, gpa_t *out, u8 *perms, struct mmu_fault *f)
{
    struct ept *e = (struct ept *)s;
    u64 want = access_bits(e, a, paging_structure), allowed = EPT_RWX, entry;
    u64 where = EPTQ_LINEAR_VALID | (paging_structure ? 0 : EPTQ_FINAL), *path[EPT_LEVELS];
    hpa_t table = EPT_FRAME(e->eptp);
    unsigned level = EPT_LEVELS, n = 0;
    e->apic_refused = false;

    for (;; level--) {
        u64 *entries = hostmem_table(e->host, table);
        if (!entries) /* a table where the model has no memory: reads of nothing give ones, which is no valid entry */
            return refuse(f, gpa, 0, true);
        path[n++] = &entries[ept_index(gpa, level)];
        entry = *path[n - 1];
        e->refs++;
        ++*e->walk_refs;
        allowed &= entry;
        if (!(entry & EPT_RWX))
            return refuse(f, gpa, want | where, false);
        if (misconfigured(e, entry, level, is_leaf(e, entry, level)))
            return refuse(f, gpa, 0, true);
        if (is_leaf(e, entry, level))
            break;
        table = EPT_FRAME(entry);
    }
    if (want & ~allowed)
        return refuse(f, gpa, want | allowed << 3 | where, false);
    if (e->eptp & EPTP_AD)
        set_flags(path, n, want & EPT_W);
    s->by_register = e->apic_access && level == 1 && EPT_FRAME(entry) == e->apic_access;
    if (s->by_register && !apic_allows(e, gpa, a))
        return refuse_apic(e, f, gpa, a);
    u64 offset = gpa & (BIT(PAGE_SHIFT + 9 * (level - 1)) - 1);
    *out = physmap_address(EPT_FRAME(entry) | offset);
    *perms = (allowed & EPT_R ? PERM_R : 0) | (allowed & EPT_W ? PERM_W : 0) | (allowed & EPT_X ? PERM_X : 0);
    return 0;
}

void ept_init(struct ept *e, const struct hostmem *host, struct mmu *mmu, u32 features)
{
    *e = (struct ept){ .stage2 = { .translate = translate }, .host = host, .phys_bits = mmu->phys_bits, .largest = features & FEATURE_EPT_1G ? 3 : features & FEATURE_EPT_2M ? 2 : 1,
                       .walk_refs = &mmu->walk_refs };
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
