/* SPDX-License-Identifier: MIT */
#include "hwassist/kvm/shadow.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/state.h"

enum { SPTE_P = 1, SPTE_W = 2, SPTE_U = 4, SPTE_A = 0x20, SPTE_D = 0x40 };
#define SPTE_NX BIT(63)
#define SPTE_FRAME(e) ((e) & (BIT(52) - 1) & PAGE_MASK)
#define FLOOD 3 /* so many writes without use: no page table any more. KVM's number. */

/* --- who maps a guest page writable --- */

static struct shadow_rmap *rmap_of(struct shadow *s, u64 spte)
{
    u64 gfn = (SPTE_FRAME(spte) - HOST_GUEST_HPA) >> PAGE_SHIFT;
    return spte & SPTE_W && gfn < s->ngfn ? &s->rmap[gfn] : NULL;
}

static void rmap_add(struct shadow *s, u64 *entry)
{
    struct shadow_rmap *r = rmap_of(s, *entry);
    if (!r)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 2;
        r->entry = realloc(r->entry, r->cap * sizeof *r->entry);
    }
    r->entry[r->n++] = entry;
}

static void rmap_remove(struct shadow *s, u64 *entry)
{
    struct shadow_rmap *r = rmap_of(s, *entry);
    for (unsigned i = 0; r && i < r->n; i++) {
        if (r->entry[i] != entry)
            continue;
        r->entry[i] = r->entry[--r->n];
        return;
    }
}

static void write_protect(struct shadow *s, u64 gfn)
{
    struct shadow_rmap *r = gfn < s->ngfn ? &s->rmap[gfn] : NULL;
    while (r && r->n)
        *r->entry[--r->n] &= ~(u64)SPTE_W;
}

static unsigned bucket_of(u64 gfn) { return (gfn ^ gfn >> 10) % SHADOW_BUCKETS; }

static bool is_tracked(const struct shadow *s, u64 gfn)
{
    for (const struct shadow_page *p = s->bucket[bucket_of(gfn)]; p; p = p->next)
        if (p->role.gfn == gfn && !p->role.direct)
            return true;
    return false;
}

static void on_written(void *opaque, gpa_t gpa, u64 len);

/* By any processor's shadow: none may map it writable. */
static bool is_watched(const struct shadow *s, u64 gfn) { return physmap_marks(s->map, gfn << PAGE_SHIFT) & MARK_SHADOW; }

static bool is_tracked_elsewhere(const struct shadow *s, u64 gfn)
{
    for (const struct phys_observer *o = s->map->observers; o; o = o->next)
        if (o->written == on_written && o->opaque != s && is_tracked(o->opaque, gfn))
            return true;
    return false;
}

/* Another processor's shadow has begun to track it. */
static void on_marked(void *opaque, gpa_t page, u8 marks)
{
    if (marks & MARK_SHADOW)
        write_protect(opaque, page >> PAGE_SHIFT);
}

/* --- pages --- */

static void parent_add(struct shadow_page *p, u64 *entry)
{
    if (p->nparents == p->parents_cap) {
        p->parents_cap = p->parents_cap ? 2 * p->parents_cap : 2;
        p->parent = realloc(p->parent, p->parents_cap * sizeof *p->parent);
    }
    p->parent[p->nparents++] = entry;
}

static void parent_remove(struct shadow_page *p, u64 *entry)
{
    for (unsigned i = 0; i < p->nparents; i++) {
        if (p->parent[i] != entry)
            continue;
        p->parent[i] = p->parent[--p->nparents];
        return;
    }
}

static struct shadow_page *page_at(struct shadow *s, hpa_t table)
{
    u64 frame = (table - HOST_POOL_HPA) >> PAGE_SHIFT;
    return frame < HOST_POOL_FRAMES ? s->by_table[frame] : NULL;
}

/* One shadow entry goes: a leaf from the reverse map, a pointer from its child's parents. */
static void drop_entry(struct shadow *s, struct shadow_page *p, unsigned i)
{
    u64 *e = &p->entry[i];
    struct shadow_page *child = p->role.level > 1 ? page_at(s, SPTE_FRAME(*e)) : NULL;
    if (!(*e & SPTE_P))
        return;
    if (child)
        parent_remove(child, e);
    else
        rmap_remove(s, e);
    *e = 0;
    s->zapped_entries++;
}

static void unlink_page(struct shadow *s, struct shadow_page *p)
{
    struct shadow_page **at = &s->bucket[bucket_of(p->role.gfn)];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    s->by_table[(p->table - HOST_POOL_HPA) >> PAGE_SHIFT] = NULL;
}

static void zap_page(struct shadow *s, struct shadow_page *p)
{
    for (unsigned i = 0; i < 512; i++)
        drop_entry(s, p, i);
    while (p->nparents)
        *p->parent[--p->nparents] = 0;
    unlink_page(s, p);
    if (!p->role.direct && !is_tracked(s, p->role.gfn) && !is_tracked_elsewhere(s, p->role.gfn))
        physmap_unmark(s->map, p->role.gfn << PAGE_SHIFT, MARK_SHADOW);
    if (p->role.level > 1)
        s->stale = true; /* the root may have pointed here */
    hostmem_free(s->host, p->table);
    free(p->parent);
    free(p);
    s->zapped_pages++;
}

void shadow_zap_all(struct shadow *s)
{
    for (unsigned i = 0; i < SHADOW_BUCKETS; i++)
        while (s->bucket[i])
            zap_page(s, s->bucket[i]);
    s->stale = true;
}

static struct shadow_page *page_new(struct shadow *s, const struct shadow_role *role)
{
    struct shadow_page *p = calloc(1, sizeof *p);
    p->role = *role;
    p->table = hostmem_alloc(s->host);
    p->entry = hostmem_table(s->host, p->table);
    p->next = s->bucket[bucket_of(role->gfn)];
    s->bucket[bucket_of(role->gfn)] = p;
    s->by_table[(p->table - HOST_POOL_HPA) >> PAGE_SHIFT] = p;
    if (!role->direct) {
        write_protect(s, role->gfn);
        physmap_mark(s->map, role->gfn << PAGE_SHIFT, MARK_SHADOW);
    }
    return p;
}

static struct shadow_page *page_get(struct shadow *s, const struct shadow_role *r)
{
    struct shadow_page *p = s->bucket[bucket_of(r->gfn)];
    while (p && !(p->role.gfn == r->gfn && p->role.level == r->level && p->role.quadrant == r->quadrant && p->role.access == r->access &&
                  p->role.direct == r->direct))
        p = p->next;
    return p ? p : page_new(s, r);
}

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
        pointer[i] = quarter_role(s, i, &r) ? page_get(s, &r)->table | SPTE_P : 0;
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
    s->root = s->guest->mode == PAGING_4LEVEL ? page_get(s, &top)->table : load_pae_root(s);
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
        struct shadow_page *p = page_at(s, table), *child;
        unsigned i = gva >> (PAGE_SHIFT + 9 * (level - 1)) & 511;
        p->writes = 0;
        if (level == 1)
            return &p->entry[i];
        struct shadow_role r = role_at(s, gva, x, level - 1);
        child = page_get(s, &r);
        if (SPTE_FRAME(p->entry[i]) != child->table) {
            drop_entry(s, p, i);
            p->entry[i] = child->table | SPTE_P | SPTE_W | SPTE_U | SPTE_A;
            parent_add(child, &p->entry[i]);
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
    return is_watched(s, x->gpa >> PAGE_SHIFT) || !is_memory(s, x->gpa, true) ? perms & ~PERM_W : perms;
}

static void set_leaf(struct shadow *s, u64 *entry, hpa_t hpa, u8 perms)
{
    if (*entry & SPTE_P)
        rmap_remove(s, entry);
    *entry = (hpa & PAGE_MASK) | SPTE_P | SPTE_A | SPTE_D | (perms & PERM_W ? SPTE_W : 0) |
             (perms & PERM_USER ? SPTE_U : 0) | (perms & PERM_X ? 0 : SPTE_NX);
    rmap_add(s, entry);
    s->fills++;
}

static bool is_apic(const struct shadow *s, gpa_t gpa) { return s->apic_access && (gpa & PAGE_MASK) == s->apic_gpa; }

static void fill(struct shadow *s, gva_t gva, const struct xlat *x, bool write, bool user)
{
    make_room(s);
    if (s->stale)
        shadow_load_root(s);
    u64 *entry = descend(s, gva, x);
    if (is_apic(s, x->gpa))
        set_leaf(s, entry, s->apic_access, x->perms);
    else
        set_leaf(s, entry, x->gpa + HOST_GUEST_HPA, leaf_perms(s, x, write, user)); /* after descend(): it may have begun to track this very page */
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
    return write && is_watched(s, x.gpa >> PAGE_SHIFT) ? SHADOW_PT_WRITE : SHADOW_FILLED;
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
            drop_entry(s, p, (first + n) & 511);
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
    if (is_watched(s, gpa >> PAGE_SHIFT) || !is_memory(s, gpa, true))
        perms &= ~PERM_W;
    set_leaf(s, entry, gpa + HOST_GUEST_HPA, perms);
    s->prefills++;
}

static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct shadow *s = opaque;
    struct shadow_page *p = s->bucket[bucket_of(gpa >> PAGE_SHIFT)], *next;
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
        zap_page(s, p);
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
    s->observer = (struct phys_observer){ .marks = MARK_SHADOW, .written = on_written, .marked = on_marked, .map_changed = on_map_changed, .opaque = s };
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
