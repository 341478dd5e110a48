/* SPDX-License-Identifier: MIT */
#include "hwassist/kvm/shadow_pages.h"

#include <stdlib.h>

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

unsigned shadow_bucket(u64 gfn) { return (gfn ^ gfn >> 10) % SHADOW_BUCKETS; }

static bool is_tracked(const struct shadow *s, u64 gfn)
{
    for (const struct shadow_page *p = s->bucket[shadow_bucket(gfn)]; p; p = p->next)
        if (p->role.gfn == gfn && !p->role.direct)
            return true;
    return false;
}

/* By any processor's shadow: none may map it writable. */
bool shadow_is_watched(const struct shadow *s, u64 gfn) { return physmap_marks(s->map, gfn << PAGE_SHIFT) & MARK_SHADOW; }

static bool is_tracked_elsewhere(const struct shadow *s, u64 gfn)
{
    for (const struct phys_observer *o = s->map->observers; o; o = o->next)
        if (o->written == shadow_on_written && o->opaque != s && is_tracked(o->opaque, gfn))
            return true;
    return false;
}

/* Another processor's shadow has begun to track it. */
void shadow_on_marked(void *opaque, gpa_t page, u8 marks)
{
    if (marks & MARK_SHADOW)
        write_protect(opaque, page >> PAGE_SHIFT);
}

/* --- pages --- */

void shadow_parent_add(struct shadow_page *p, u64 *entry)
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

struct shadow_page *shadow_page_at(struct shadow *s, hpa_t table)
{
    u64 frame = (table - HOST_POOL_HPA) >> PAGE_SHIFT;
    return frame < HOST_POOL_FRAMES ? s->by_table[frame] : NULL;
}

/* One shadow entry goes: a leaf from the reverse map, a pointer from its child's parents. */
void shadow_drop_entry(struct shadow *s, struct shadow_page *p, unsigned i)
{
    u64 *e = &p->entry[i];
    struct shadow_page *child = p->role.level > 1 ? shadow_page_at(s, SPTE_FRAME(*e)) : NULL;
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
    struct shadow_page **at = &s->bucket[shadow_bucket(p->role.gfn)];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    s->by_table[(p->table - HOST_POOL_HPA) >> PAGE_SHIFT] = NULL;
}

void shadow_zap_page(struct shadow *s, struct shadow_page *p)
{
    for (unsigned i = 0; i < 512; i++)
        shadow_drop_entry(s, p, i);
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
            shadow_zap_page(s, s->bucket[i]);
    s->stale = true;
}

static struct shadow_page *page_new(struct shadow *s, const struct shadow_role *role)
{
    struct shadow_page *p = calloc(1, sizeof *p);
    p->role = *role;
    p->table = hostmem_alloc(s->host);
    p->entry = hostmem_table(s->host, p->table);
    p->next = s->bucket[shadow_bucket(role->gfn)];
    s->bucket[shadow_bucket(role->gfn)] = p;
    s->by_table[(p->table - HOST_POOL_HPA) >> PAGE_SHIFT] = p;
    if (!role->direct) {
        write_protect(s, role->gfn);
        physmap_mark(s->map, role->gfn << PAGE_SHIFT, MARK_SHADOW);
    }
    return p;
}

struct shadow_page *shadow_page_get(struct shadow *s, const struct shadow_role *r)
{
    struct shadow_page *p = s->bucket[shadow_bucket(r->gfn)];
    while (p && !(p->role.gfn == r->gfn && p->role.level == r->level && p->role.quadrant == r->quadrant && p->role.access == r->access &&
                  p->role.direct == r->direct))
        p = p->next;
    return p ? p : page_new(s, r);
}

/* --- leaves --- */

void shadow_set_leaf(struct shadow *s, u64 *entry, hpa_t hpa, u8 perms)
{
    if (*entry & SPTE_P)
        rmap_remove(s, entry);
    *entry = (hpa & PAGE_MASK) | SPTE_P | SPTE_A | SPTE_D | (perms & PERM_W ? SPTE_W : 0) |
             (perms & PERM_USER ? SPTE_U : 0) | (perms & PERM_X ? 0 : SPTE_NX);
    rmap_add(s, entry);
    s->fills++;
}
