/* SPDX-License-Identifier: MIT */
#include "mmu/mmu.h"

#include <string.h>

#include "mmu/walk.h"

#define MODE_BITS_CR0 (BIT(31) | BIT(16))                 /* PG, WP */
#define MODE_BITS_CR4 (BIT(4) | BIT(5) | BIT(7))          /* PSE, PAE, PGE */

static void drop(struct tlb_entry *e)
{
    e->tag[0] = e->tag[1] = e->tag[2] = e->held = TLB_NONE;
}

static void drop_all(void *opaque)
{
    mmu_flush(opaque, true);
    walk_caches_drop(&((struct mmu *)opaque)->caches, DIMENSION_NESTED);
}

static unsigned page_number(gpa_t gpa) { return (gpa >> PAGE_SHIFT) % TLB_ENTRIES; }
static void note_writable(struct mmu *u, gpa_t gpa) { u->written[page_number(gpa) / 64] |= BIT(page_number(gpa) % 64); }
static bool maybe_writable(const struct mmu *u, gpa_t gpa) { return u->written[page_number(gpa) / 64] >> page_number(gpa) % 64 & 1; }

/* A page got watched: no writable entry of it may stay. Most pages have none, and a processor that sleeps has none at all. */
static void on_marked(void *opaque, gpa_t page, u8 marks)
{
    struct mmu *u = opaque;
    if (!maybe_writable(u, page))
        return;
    for (int user = 0; user < 2; user++)
        for (int i = 0; i < TLB_ENTRIES; i++)
            if (u->tlb[user][i].gpa_page == page)
                u->tlb[user][i].tag[ACCESS_WRITE] = TLB_NONE;
}

void mmu_init(struct mmu *u, struct physmap *map)
{
    memset(u, 0, sizeof *u);
    u->map = map;
    u->phys_bits = 36;
    u->observer = (struct phys_observer){ .marked = on_marked, .map_changed = drop_all, .opaque = u };
    physmap_observe(map, &u->observer);
    mmu_flush(u, true);
}

void mmu_fini(struct mmu *u)
{
    physmap_unobserve(u->map, &u->observer);
}

static enum paging_mode mode_of(u64 cr0, u64 cr4, u64 efer)
{
    if (!(cr0 & BIT(31)))
        return PAGING_OFF;
    if (!(cr4 & BIT(5)))
        return PAGING_32;
    return efer & BIT(8) ? PAGING_4LEVEL : PAGING_PAE;
}

void mmu_load_regs(struct mmu *u, u64 cr0, u64 cr3, u64 cr4, u64 efer, const u64 pdpte[4])
{
    bool mode_bits = ((u->cr0 ^ cr0) & MODE_BITS_CR0) || ((u->cr4 ^ cr4) & MODE_BITS_CR4) || u->efer != efer;
    u->cr0 = cr0;
    u->cr3 = cr3;
    u->cr4 = cr4;
    u->efer = efer;
    u->mode = mode_of(cr0, cr4, efer);
    memcpy(u->pdpte, pdpte, sizeof u->pdpte);
    mmu_flush(u, mode_bits);
}

bool mmu_set_regs(struct mmu *u, u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
    u64 pdpte[4];
    memcpy(pdpte, u->pdpte, sizeof pdpte);
    if (mode_of(cr0, cr4, efer) == PAGING_PAE && !walk_load_pdptes(u, cr3, pdpte))
        return false;
    mmu_load_regs(u, cr0, cr3, cr4, efer, pdpte);
    return true;
}

void mmu_flush(struct mmu *u, bool globals_too)
{
    u->tlb_flushes++;
    walk_caches_drop(&u->caches, DIMENSION_GUEST); /* they know no global pages: SDM vol. 3, 4.10.4.1 */
    if (globals_too)
        memset(u->written, 0, sizeof u->written);
    for (int user = 0; user < 2; user++)
        for (int i = 0; i < TLB_ENTRIES; i++)
            if (globals_too || !u->tlb[user][i].global)
                drop(&u->tlb[user][i]);
}

/* The paging-structure caches lose everything, whatever the address (SDM vol. 3, 4.10.4.1). In the TLB a large page fills many entries, one for each 4 KiB touched: all of them must go, and they may be anywhere. So
 * INVLPG of an address drops its own entry and every entry that came from a large page. */
void mmu_invlpg(struct mmu *u, gva_t gva)
{
    u->tlb_invlpgs++;
    walk_caches_drop(&u->caches, DIMENSION_GUEST);
    for (int user = 0; user < 2; user++) {
        drop(&u->tlb[user][(gva >> PAGE_SHIFT) % TLB_ENTRIES]);
        if (!u->large_pages)
            continue;
        for (int i = 0; i < TLB_ENTRIES; i++)
            if (u->tlb[user][i].large)
                drop(&u->tlb[user][i]);
    }
    u->large_pages = false;
}

static bool in_use(const struct mmu *u, unsigned i)
{
    return !(u->tlb[0][i].held & u->tlb[1][i].held & TLB_NONE);
}

/* The TLB that is modelled is four-way set associative, as the second level of the processors that Bhargava et al. (ASPLOS 2008) measured.
 * A set stands for the places that are its number apart. */
#define TLB_WAYS 4
#define TLB_SETS (TLB_ENTRIES / TLB_WAYS)

static unsigned set_used(const struct mmu *u, unsigned set)
{
    unsigned n = 0;
    for (unsigned way = 0; way < TLB_WAYS; way++)
        n += in_use(u, set + way * TLB_SETS);
    return n;
}

struct tlb_loss mmu_compete(struct mmu *u, const struct mmu *other)
{
    struct tlb_loss loss = { 0 };
    walk_caches_drop(&u->caches, DIMENSION_GUEST); /* too small for two */
    walk_caches_drop(&u->caches, DIMENSION_NESTED);
    for (unsigned set = 0; set < TLB_SETS; set++) {
        unsigned mine = set_used(u, set), together = mine + set_used(other, set);
        unsigned out = together > TLB_WAYS ? together - TLB_WAYS : 0; /* the other's are younger */
        loss.held += mine;
        loss.lost += out;
        for (unsigned way = 0; out && way < TLB_WAYS; way++) {
            unsigned i = set + way * TLB_SETS;
            out -= in_use(u, i);
            drop(&u->tlb[0][i]);
            drop(&u->tlb[1][i]);
        }
    }
    return loss;
}

static struct tlb_entry *entry_of(struct mmu *u, gva_t gva, bool user) { return &u->tlb[user][(gva >> PAGE_SHIFT) % TLB_ENTRIES]; }

/* The modelled TLB holds the page from now on. */
static struct tlb_entry *hold(struct mmu *u, gva_t gva, bool user, const struct xlat *x, gpa_t gpa)
{
    struct tlb_entry *e = entry_of(u, gva, user);
    if (e->held != (gva & PAGE_MASK) || e->gpa_page != (gpa & PAGE_MASK))
        drop(e);
    e->held = gva & PAGE_MASK;
    e->gpa_page = gpa & PAGE_MASK;
    e->global = x->global;
    e->large = x->page_shift > PAGE_SHIFT;
    u->large_pages |= e->large;
    return e;
}

/* Keep the translation of one access: for mmu_fast(), or, where a device answers (hva is NULL), for translated_before(). */
static void refill(struct mmu *u, struct tlb_entry *e, gva_t gva, enum mmu_access a, u8 *hva)
{
    gva_t page = (gva & PAGE_MASK) | (hva ? 0 : TLB_DEVICE);
    uintptr_t addend = hva ? (uintptr_t)hva - gva : e->gpa_page - (gva & PAGE_MASK);
    if (e->addend != addend)
        e->tag[0] = e->tag[1] = e->tag[2] = TLB_NONE;
    if (a == ACCESS_WRITE)
        note_writable(u, e->gpa_page);
    e->tag[a] = page;
    e->addend = addend;
}

int mmu_second(struct mmu *u, gva_t gva, enum mmu_access a, gpa_t *gpa, u8 *perms, struct mmu_fault *f)
{
    if (!u->stage2 || u->stage2->translate(u->stage2, *gpa, a, false, gpa, perms, f) == 0)
        return 0;
    f->kind = FAULT_STAGE2;
    f->gva = gva;
    return -1;
}

/* A device's registers: the way there is known, as in any TLB, but each access is the device's. */
static bool translated_before(struct mmu *u, gva_t gva, enum mmu_access a, bool user, gpa_t *gpa)
{
    const struct tlb_entry *e = entry_of(u, gva, user);
    *gpa = e->gpa_page | (gva & ~PAGE_MASK);
    return e->tag[a] == ((gva & PAGE_MASK) | TLB_DEVICE);
}

int mmu_translate(struct mmu *u, gva_t gva, enum mmu_access a, bool user, gpa_t *gpa, u8 **hva, struct mmu_fault *f)
{
    struct xlat x;
    *hva = NULL;
    if (translated_before(u, gva, a, user, gpa))
        return 0;
    if (mmu_walk(u, gva, a, user, &x, f) < 0)
        return -1;
    *gpa = x.gpa;
    u8 perms;
    if (mmu_second(u, gva, a, gpa, &perms, f) < 0)
        return -1;
    struct region *r = physmap_find(u->map, *gpa);
    *gpa &= u->map->a20_mask;
    struct tlb_entry *e = hold(u, gva, user, &x, *gpa);
    bool device = r && r->kind == REGION_MMIO;
    if (device && !(u->stage2 && u->stage2->by_register))
        refill(u, e, gva, a, NULL);
    if (!r || device)
        return 0;
    bool direct = a != ACCESS_WRITE || (r->kind == REGION_RAM && !r->page_marks[(*gpa - r->gpa) >> PAGE_SHIFT]);
    if (direct) {
        *hva = r->hva + (*gpa - r->gpa);
        refill(u, e, gva, a, *hva);
    }
    return 0;
}
