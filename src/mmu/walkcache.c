/* SPDX-License-Identifier: MIT */
#include "mmu/walkcache.h"

#include <string.h>

/* --- the most recently used of something --- */

static unsigned find(const struct recent *r, u64 key)
{
    unsigned i = 0;
    while (i < r->used && r->key[i] != key)
        i++;
    return i;
}

/* To the front, from place i; what was before it moves back by one. */
static void put_first(struct recent *r, unsigned i, u64 key)
{
    memmove(&r->key[1], &r->key[0], i * sizeof r->key[0]);
    r->key[0] = key;
}

static bool touch(struct recent *r, u64 key)
{
    unsigned i = find(r, key);
    if (i == r->used)
        return false;
    put_first(r, i, key);
    return true;
}

/* The key is not there. Where there is no room the last one goes. */
static void add(struct recent *r, u64 key)
{
    if (!r->room)
        return;
    r->used += r->used < r->room;
    put_first(r, r->used - 1, key);
}

static void take_out(struct recent *r, unsigned i)
{
    r->used--;
    memmove(&r->key[i], &r->key[i + 1], (r->used - i) * sizeof r->key[0]);
}

/* --- the two caches --- */

static u8 room(u64 n) { return n < WALK_CACHE_MOST ? n : WALK_CACHE_MOST; }

void walk_caches_size(struct walk_caches *w, u64 entries, u32 entry_cycles, u64 nested, u32 nested_cycles)
{
    w->entries = (struct recent){ .room = room(entries) };
    w->nested = (struct recent){ .room = room(nested) };
    w->entry_cycles = entry_cycles;
    w->nested_cycles = nested_cycles;
}

/* Entries are of four or eight bytes: bit 0 is free, and tells the dimensions apart, whose tables may lie in different memories. */
static u64 key_of(u64 at, enum dimension d) { return (at & ~(u64)1) | d; }
static u64 page_of(u64 gpa) { return gpa & ~(u64)0xfff; }

bool walk_caches_read(struct walk_caches *w, u64 at, enum dimension d, bool keep)
{
    if (!w->walking || w->without & WITHOUT_WALK_CACHE)
        return true;
    if (keep && touch(&w->entries, key_of(at, d))) {
        w->entry_hits++;
        w->saved++;
        w->hit_cycles += w->entry_cycles;
        return false;
    }
    if (keep)
        add(&w->entries, key_of(at, d));
    return true;
}

bool walk_caches_find(struct walk_caches *w, u64 gpa)
{
    if (!w->walking || w->without & WITHOUT_NESTED_TLB || !touch(&w->nested, page_of(gpa)))
        return false;
    w->nested_hits++;
    w->hit_cycles += w->nested_cycles;
    return true;
}

void walk_caches_spare(struct walk_caches *w, unsigned depth) { w->saved += depth; }

void walk_caches_keep(struct walk_caches *w, u64 gpa)
{
    if (w->walking && !touch(&w->nested, page_of(gpa)))
        add(&w->nested, page_of(gpa));
}

void walk_caches_drop(struct walk_caches *w, enum dimension d)
{
    for (unsigned i = w->entries.used; i-- > 0;)
        if ((w->entries.key[i] & 1) == d)
            take_out(&w->entries, i);
    if (d == DIMENSION_NESTED)
        w->nested.used = 0;
}

void walk_caches_drop_entry(struct walk_caches *w, u64 at, enum dimension d)
{
    unsigned i = find(&w->entries, key_of(at, d));
    if (i < w->entries.used)
        take_out(&w->entries, i);
}

void walk_caches_drop_gpa(struct walk_caches *w, u64 gpa)
{
    unsigned i = find(&w->nested, page_of(gpa));
    if (i < w->nested.used)
        take_out(&w->nested, i);
}
