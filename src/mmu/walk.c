/* SPDX-License-Identifier: MIT */
/*
 * The page walk, SDM vol. 3, chapter 4. The three formats differ only in numbers, so each is a row of a
 * table; PAE begins at its four pointer registers, the others at CR3.
 */
#include "mmu/walk.h"

#include <string.h>

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
#define PTE_NX BIT(63)

struct format {
    u8 levels;          /* tables walked in memory */
    u8 index_bits;      /* of each table */
    u8 entry_size;      /* bytes */
    u8 page_levels;     /* bit n: an entry of level n (1 = page table) may map a page by itself */
};
static const struct format formats[] = {
    [PAGING_32] = { 2, 10, 4, BIT(2) },
    [PAGING_PAE] = { 2, 9, 8, BIT(2) },
    [PAGING_4LEVEL] = { 4, 9, 8, BIT(2) | BIT(3) },
};

/* Where an entry is, in the physmap, and what it holds. */
struct entry { gpa_t gpa, at; u64 value; };

static int fault_page(struct mmu_fault *f, gva_t gva, u32 error)
{
    f->kind = FAULT_PAGE;
    f->gva = gva;
    f->error = error;
    return -1;
}

/* Second dimension for an address of a paging structure. */
static int structure_at(struct mmu *u, gpa_t gpa, enum mmu_access a, gva_t gva, gpa_t *at, struct mmu_fault *f)
{
    u8 perms;
    *at = gpa;
    if (!u->stage2 || u->stage2->translate(u->stage2, gpa, a, true, at, &perms, f) == 0)
        return 0;
    f->kind = FAULT_STAGE2;
    f->gva = gva;
    return -1;
}

/* The memory in which the tables lie. */
static struct physmap *tables_of(const struct mmu *u)
{
    return u->stage2 && u->stage2->tables ? u->stage2->tables : u->map;
}

static u64 read_entry(struct mmu *u, gpa_t at, unsigned size)
{
    u64 value = 0;
    const u8 *p = physmap_ptr_ro(tables_of(u), at, size);
    if (likely(p))
        memcpy(&value, p, size);
    else
        value = physmap_load(tables_of(u), at, size);
    return value;
}

/* Bits that must be zero in an entry of this level. */
static u64 reserved_bits(const struct mmu *u, const struct format *fm, unsigned level, bool leaf)
{
    if (fm->entry_size == 4) /* PSE-36: bits 20:13 hold address bits 39:32 as far as there are any */
        return level == 2 && leaf ? (u->phys_bits >= 40 ? BIT(21) : (BIT(22) - 1) & ~(BIT(13 + (u->phys_bits > 32 ? u->phys_bits - 32 : 0)) - 1)) : 0;
    u64 bits = (BIT(52) - 1) & ~(BIT(u->phys_bits) - 1);
    if (!(u->efer & 1 << 11)) /* EFER.NXE */
        bits |= PTE_NX;
    if (u->mode == PAGING_PAE)
        bits |= (BIT(63) - 1) & ~(BIT(52) - 1);
    if (leaf && level > 1)
        bits |= (BIT(12 + 9 * (level - 1)) - 1) & ~(BIT(13) - 1);
    if (level == 4 || (level == 3 && !u->huge_pages))
        bits |= PTE_PS;
    return bits;
}

static gpa_t frame_of(const struct format *fm, u64 value, unsigned shift)
{
    if (fm->entry_size == 4 && shift == 22)
        return (value & 0xffc00000) | (value >> 13 & 0xff) << 32;
    return value & (BIT(52) - 1) & ~(BIT(shift) - 1);
}

/* May a supervisor or user access of this kind pass, given what all levels allow together? SDM vol. 3, 4.6.1 */
static bool allowed(const struct mmu *u, u8 perms, enum mmu_access a, bool user)
{
    if (user && !(perms & PERM_USER))
        return false;
    if (a == ACCESS_WRITE)
        return perms & PERM_W || (!user && !(u->cr0 & BIT(16)));
    return a != ACCESS_EXEC || perms & PERM_X;
}

/* Set A, and D in the leaf, in memory: the tables' owners are told like of any write. */
static int set_bits(struct mmu *u, const struct format *fm, struct entry *e, u64 bits, gva_t gva, struct mmu_fault *f)
{
    gpa_t at;
    if ((e->value & bits) == bits)
        return 0;
    if (structure_at(u, e->gpa, ACCESS_WRITE, gva, &at, f) < 0)
        return -1;
    e->value |= bits;
    physmap_store(tables_of(u), at, fm->entry_size, e->value);
    return 0;
}

/* Of 4-level paging's addresses only canonical ones come here, but for those that a debugger makes up. */
static int walk(struct mmu *u, gva_t gva, enum mmu_access a, bool user, bool touch, struct xlat *x, struct mmu_fault *f)
{
    const struct format *fm = &formats[u->mode];
    /* the error code's access bits; "fetch" is reported only where NX is on */
    u32 error = (a == ACCESS_WRITE ? PF_WRITE : 0) | (user ? PF_USER : 0) |
                (a == ACCESS_EXEC && u->efer & 1 << 11 && u->mode != PAGING_32 ? PF_FETCH : 0);
    struct entry e[4];
    u8 perms = PERM_R | PERM_W | PERM_X | PERM_USER;
    unsigned level = fm->levels, n = 0, shift;
    gpa_t table = u->cr3 & (fm->entry_size == 4 ? 0xfffff000 : (BIT(52) - 1) & PAGE_MASK);
    bool leaf;

    if (u->mode == PAGING_4LEVEL && !gva_canonical(gva))
        return fault_page(f, gva, error);
    if (u->mode == PAGING_PAE) {
        u64 pdpte = u->pdpte[gva >> 30 & 3];
        if (!(pdpte & PTE_P))
            return fault_page(f, gva, error);
        table = pdpte & (BIT(52) - 1) & PAGE_MASK;
    }
    for (;; level--) {
        struct entry *en = &e[n++];
        shift = PAGE_SHIFT + fm->index_bits * (level - 1);
        en->gpa = table + (gva >> shift & (BIT(fm->index_bits) - 1)) * fm->entry_size;
        if (structure_at(u, en->gpa, ACCESS_READ, gva, &en->at, f) < 0)
            return -1;
        en->value = read_entry(u, en->at, fm->entry_size);
        leaf = level == 1 || (en->value & PTE_PS && fm->page_levels & BIT(level) && (fm->entry_size == 8 || u->cr4 & 1 << 4));
        bool present = en->value & PTE_P, bad = present && en->value & reserved_bits(u, fm, level, leaf);
        if (touch)
            u->walk_refs += walk_caches_read(&u->caches, en->at, DIMENSION_GUEST, present && !bad && !leaf);
        if (!present)
            return fault_page(f, gva, error);
        if (bad)
            return fault_page(f, gva, error | PF_PRESENT | PF_RSVD);
        if (!(en->value & PTE_W))
            perms &= ~PERM_W;
        if (!(en->value & PTE_U))
            perms &= ~PERM_USER;
        if (fm->entry_size == 8 && en->value & PTE_NX)
            perms &= ~PERM_X;
        if (leaf)
            break;
        table = frame_of(fm, en->value, PAGE_SHIFT);
    }
    if (!allowed(u, perms, a, user))
        return fault_page(f, gva, error | PF_PRESENT);
    if (touch) {
        for (unsigned i = 0; i + 1 < n; i++)
            if (set_bits(u, fm, &e[i], PTE_A, gva, f) < 0)
                return -1;
        if (set_bits(u, fm, &e[n - 1], PTE_A | (a == ACCESS_WRITE ? PTE_D : 0), gva, f) < 0)
            return -1;
    }
    u64 last = e[n - 1].value;
    x->depth = n;
    for (unsigned i = 0; i < n; i++) {
        x->entry[i].gpa = e[i].at;
        x->entry[i].size = fm->entry_size;
        x->entry[i].span_shift = PAGE_SHIFT + fm->index_bits * (fm->levels - i - 1);
    }
    x->gpa = frame_of(fm, last, shift) | (gva & (BIT(shift) - 1));
    x->perms = perms;
    x->page_shift = shift;
    x->global = last & PTE_G && u->cr4 & 1 << 7;
    x->dirty = last & PTE_D;
    return 0;
}

static int walk_or_identity(struct mmu *u, gva_t gva, enum mmu_access a, bool user, bool touch, struct xlat *x, struct mmu_fault *f)
{
    f->kind = FAULT_NONE;
    if (u->mode != PAGING_OFF)
        return walk(u, gva, a, user, touch, x, f);
    *x = (struct xlat){ .gpa = (u32)gva, .perms = PERM_R | PERM_W | PERM_X | PERM_USER, .page_shift = PAGE_SHIFT, .dirty = true };
    return 0;
}

int mmu_walk(struct mmu *u, gva_t gva, enum mmu_access a, bool user, struct xlat *x, struct mmu_fault *f)
{
    u->walks++;
    return walk_or_identity(u, gva, a, user, true, x, f);
}

int mmu_probe(struct mmu *u, gva_t gva, enum mmu_access a, bool user, struct xlat *x)
{
    struct mmu_fault f;
    return walk_or_identity(u, gva, a, user, false, x, &f);
}

bool walk_load_pdptes(struct mmu *u, u64 cr3, u64 pdpte[4])
{
    u64 reserved = ((BIT(63) - 1) & ~(BIT(u->phys_bits) - 1)) | BIT(63) | 0x1e6; /* SDM vol. 3, table 4-8 */
    gpa_t at;
    u->pdpte_fault.kind = FAULT_NONE;
    if (structure_at(u, cr3 & 0xffffffe0, ACCESS_READ, 0, &at, &u->pdpte_fault) < 0)
        return false;
    for (int i = 0; i < 4; i++) {
        pdpte[i] = read_entry(u, at + 8 * i, 8);
        if (pdpte[i] & PTE_P && pdpte[i] & reserved)
            return false;
    }
    return true;
}
