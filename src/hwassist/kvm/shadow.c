/* SPDX-License-Identifier: MIT */
#include "hwassist/kvm/shadow_pages.h"

#include <stdlib.h>

#include "cpu/state.h"

#define FLOOD 3 /* so many writes without use: no page table any more. KVM's number. */

/* --- the root --- */

#define EVERYTHING (PERM_R | PERM_W | PERM_X | PERM_USER)

/* The guest's table of second level for one quarter of the linear space, or nothing (a PAE pointer that is not present). */
static bool quarter_role(const struct shadow *s, unsigned quarter, struct shadow_role *r)
{
    const struct mmu *g = s->guest;
    *r = (struct shadow_role){ .level = 2, .access = EVERYTHING };
    switch (g->mode) {
    case PAGING_OFF: r->direct = true; r->gfn = (u64)quarter << 18; return true;
    case PAGING_32: r->gfn = (u32)g->cr3 >> PAGE_SHIFT; r->quadrant = quarter; return true;
    default: r->gfn = SPTE_FRAME(g->pdpte[quarter]) >> PAGE_SHIFT; return g->pdpte[quarter] & SPTE_P;
    }
}

static hpa_t load_pae_root(struct shadow *s)
{
    u64 *pointer = hostmem_table(s->host, s->pae_frame);
    for (unsigned i = 0; i < 4; i++) {
        struct shadow_role r;
        pointer[i] = quarter_role(s, i, &r) ? shadow_page_get(s, &r)->table | SPTE_P : 0;
    }
    return s->pae_frame;
}

/* Tables for one fault and one root must always be there; when the pool runs low, all start anew. */
static void make_room(struct shadow *s)
{
    if (s->host->nfree < 16)
        shadow_zap_all(s);
}

hpa_t shadow_load_root(struct shadow *s)
{
    make_room(s);
    struct shadow_role top = { .gfn = SPTE_FRAME(s->guest->cr3) >> PAGE_SHIFT, .level = 4, .access = EVERYTHING };
    s->root = s->guest->mode == PAGING_4LEVEL ? shadow_page_get(s, &top)->table : load_pae_root(s);
    s->stale = false;
    return s->root;
}

/* --- a fault --- */

static bool is_memory(const struct shadow *s, gpa_t gpa, bool write)
{
    const struct region *r = physmap_find(s->map, gpa);
    return r && r->kind != REGION_MMIO && !(write && r->kind == REGION_ROM);
}

static unsigned top_level(const struct shadow *s) { return s->guest->mode == PAGING_4LEVEL ? 4 : 2; }

/* What the guest's entries above the one of `level` allow together. */
static u8 access_above(const struct shadow *s, const struct xlat *x, unsigned level)
{
    u8 access = EVERYTHING;
    for (unsigned i = 0; i < top_level(s) - level && i < x->depth; i++) {
        u64 e = physmap_load(s->map, x->entry[i].gpa, x->entry[i].size);
        access &= ~((e & SPTE_W ? 0 : PERM_W) | (e & SPTE_U ? 0 : PERM_USER) | (x->entry[i].size == 8 && e & SPTE_NX ? PERM_X : 0));
    }
    return access;
}

/* Which shadow page must hold the entry of `level` for gva? */
static struct shadow_role role_at(const struct shadow *s, gva_t gva, const struct xlat *x, unsigned level)
{
    unsigned i = top_level(s) - level;
    struct shadow_role r = { .level = level };
    if (i >= x->depth) {
        r.direct = true;
        r.gfn = (x->gpa & ~(BIT(PAGE_SHIFT + 9 * level) - 1)) >> PAGE_SHIFT;
        r.access = x->perms & (x->dirty ? 0xff : ~PERM_W);
        return r;
    }
    r.gfn = x->entry[i].gpa >> PAGE_SHIFT;
    r.access = access_above(s, x, level);
    if (s->guest->mode == PAGING_32)
        r.quadrant = level == 2 ? gva >> 30 & 3 : gva >> 21 & 1;
    return r;
}

static u64 *descend(struct shadow *s, gva_t gva, const struct xlat *x)
{
    unsigned level = top_level(s);
    hpa_t table = s->root;
    if (level == 2)
        table = SPTE_FRAME(hostmem_table(s->host, s->root)[gva >> 30 & 3]);
    for (;; level--) {
        struct shadow_page *p = shadow_page_at(s, table), *child;
        unsigned i = gva >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
        p->writes = 0;
        if (level == 1)
            return &p->entry[i];
        struct shadow_role r = role_at(s, gva, x, level - 1);
        child = shadow_page_get(s, &r);
        if (SPTE_FRAME(p->entry[i]) != child->table) {
            shadow_drop_entry(s, p, i);
            p->entry[i] = child->table | SPTE_P | SPTE_W | SPTE_U | SPTE_A;
            shadow_parent_add(child, &p->entry[i]);
        }
        table = child->table;
    }
}

/* With CR0.WP clear the guest's kernel may write where its tables say read-only. The hardware runs with WP set, so such a page
 * becomes the kernel's own until a user faults on it. */
static u8 leaf_perms(const struct shadow *s, const struct xlat *x, bool write, bool user)
{
    u8 perms = x->perms & (x->dirty ? 0xff : ~PERM_W);
    if (write && !user && !(x->perms & PERM_W) && !(s->guest->cr0 & BIT(16)))
        perms = (perms | PERM_W) & ~PERM_USER;
    return shadow_is_watched(s, x->gpa >> PAGE_SHIFT) || !is_memory(s, x->gpa, true) ? perms & ~PERM_W : perms;
}

static bool is_apic(const struct shadow *s, gpa_t gpa) { return s->apic_access && (gpa & PAGE_MASK) == s->apic_gpa; }

static void fill(struct shadow *s, gva_t gva, const struct xlat *x, bool write, bool user)
{
    make_room(s);
    if (s->stale)
        shadow_load_root(s);
    u64 *entry = descend(s, gva, x);
    if (is_apic(s, x->gpa))
        shadow_set_leaf(s, entry, s->apic_access, x->perms);
    else
        shadow_set_leaf(s, entry, x->gpa + HOST_GUEST_HPA, leaf_perms(s, x, write, user)); /* after descend(): it may have begun to track this very page */
}

enum shadow_result shadow_fault(struct shadow *s, gva_t gva, u32 error, struct mmu_fault *f)
{
    bool write = error & PF_WRITE, user = error & PF_USER;
    struct xlat x;
    s->in_walk = true;
    int refused = mmu_walk(s->guest, gva, write ? ACCESS_WRITE : error & PF_FETCH ? ACCESS_EXEC : ACCESS_READ, user, &x, f);
    s->in_walk = false;
    if (refused)
        return SHADOW_TRUE_FAULT;
    s->device = x.gpa;
    if (!is_memory(s, x.gpa, write) && !is_apic(s, x.gpa))
        return SHADOW_MMIO;
    fill(s, gva, &x, write, user);
    return write && shadow_is_watched(s, x.gpa >> PAGE_SHIFT) ? SHADOW_PT_WRITE : SHADOW_FILLED;
}

/* --- writes to guest page tables, whoever makes them --- */

/* The shadow entries that stand for bytes [offset, offset + len) of the guest's table. */
static void drop_written(struct shadow *s, struct shadow_page *p, unsigned offset, unsigned len)
{
    bool short_entries = s->guest->mode == PAGING_32;
    unsigned size = short_entries ? 4 : 8, spread = short_entries && p->role.level == 2 ? 2 : 1;
    for (unsigned i = offset / size; i <= (offset + len - 1) / size; i++) {
        unsigned first = i * spread;
        if (short_entries && first >> 9 != p->role.quadrant)
            continue;
        for (unsigned n = 0; n < spread; n++)
            shadow_drop_entry(s, p, (first + n) & 511);
    }
}

static bool is_whole_entry(const struct shadow *s, const struct shadow_page *p, gpa_t gpa, u64 len)
{
    unsigned size = s->guest->mode == PAGING_32 ? 4 : 8, index = (gpa & ~PAGE_MASK) / size;
    return p->role.level == 1 && len == size && !(gpa & (size - 1)) && (size == 8 || index >> 9 == p->role.quadrant);
}

/* Bits that make the entry a fault of the guest's own. */
static bool is_malformed(const struct shadow *s, u64 guest_entry)
{
    u64 nx = s->guest->efer & EFER_NXE ? SPTE_NX : 0, frame = BIT(s->guest->phys_bits) - 1;
    return guest_entry & ~(frame | nx);
}

/* An entry written present and accessed will be used: its shadow is made at once, and spares a hidden fault. KVM did so from the
 * beginning (update_pte). One that is not accessed yet must fault, so that the guest's A flag gets set. */
static void prefill(struct shadow *s, struct shadow_page *p, gpa_t at, u64 len)
{
    u64 e = physmap_load(s->map, at, len);
    u8 perms = p->role.access & ~((e & SPTE_W && e & SPTE_D ? 0 : PERM_W) | (e & SPTE_U ? 0 : PERM_USER) | (len == 8 && e & SPTE_NX ? PERM_X : 0));
    gpa_t gpa = len == 4 ? e & PAGE_MASK : SPTE_FRAME(e);
    u64 *entry = &p->entry[(at & ~PAGE_MASK) / len & 511];
    if (!(e & SPTE_P) || !(e & SPTE_A) || is_malformed(s, e) || !is_memory(s, gpa, false))
        return;
    if (shadow_is_watched(s, gpa >> PAGE_SHIFT) || !is_memory(s, gpa, true))
        perms &= ~PERM_W;
    shadow_set_leaf(s, entry, gpa + HOST_GUEST_HPA, perms);
    s->prefills++;
}

void shadow_on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct shadow *s = opaque;
    struct shadow_page *p = s->bucket[shadow_bucket(gpa >> PAGE_SHIFT)], *next;
    for (; p && !s->in_walk; p = next) {
        next = p->next;
        if (p->role.gfn != gpa >> PAGE_SHIFT || p->role.direct)
            continue;
        drop_written(s, p, gpa & ~PAGE_MASK, len);
        if (++p->writes < FLOOD) {
            if (is_whole_entry(s, p, gpa, len))
                prefill(s, p, gpa, len);
            continue;
        }
        s->unshadowed++;
        shadow_zap_page(s, p);
    }
}

static void on_map_changed(void *opaque) { shadow_zap_all(opaque); }

static u64 end_of_ram(const struct physmap *map)
{
    u64 end = 0;
    for (unsigned i = 0; i < map->nregions; i++)
        if (map->region[i].kind == REGION_RAM)
            end = map->region[i].gpa + map->region[i].size;
    return end;
}

int shadow_init(struct shadow *s, struct physmap *map, struct mmu *guest, struct hostmem *host, struct error *err)
{
    *s = (struct shadow){ .map = map, .guest = guest, .host = host, .stale = true };
    s->ngfn = end_of_ram(map) >> PAGE_SHIFT;
    s->rmap = calloc(s->ngfn, sizeof *s->rmap);
    s->pae_frame = hostmem_alloc(host);
    if (!s->rmap)
        return error_set(err, "no memory for the shadow page tables' reverse map; try a smaller -m");
    s->observer = (struct phys_observer){ .marks = MARK_SHADOW, .written = shadow_on_written, .marked = shadow_on_marked, .map_changed = on_map_changed, .opaque = s };
    physmap_observe(map, &s->observer);
    return 0;
}

void shadow_fini(struct shadow *s)
{
    if (!s->rmap)
        return;
    physmap_unobserve(s->map, &s->observer);
    shadow_zap_all(s);
    for (u64 i = 0; i < s->ngfn; i++)
        free(s->rmap[i].entry);
    free(s->rmap);
}
