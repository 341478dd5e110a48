/* SPDX-License-Identifier: MIT */
/*
 * The page walker's own caches, of the modelled processor (--timing=model; SDM vol. 3, 4.10.3 and 29.4; Bhargava et al., ASPLOS 2008):
 *
 *   page-walk cache   paging-structure entries of both dimensions, by the place where each lies. Not the last entry of a walk: its
 *                     translation is what the TLB will hold.
 *   nested TLB        where the guest's paging structures lie in the host: by gpa's page. A hit spares a whole walk of the EPT.
 *
 * Both are small, fully associative, and forget what was not used longest. They decide what a walk costs, and nothing else: what an entry
 * says is always read from memory. What they hold is thrown away when the architecture says so, for a real processor's would be wrong then.
 */
#ifndef EMU_MMU_WALKCACHE_H
#define EMU_MMU_WALKCACHE_H

#include "base/types.h"

/* In the manual's words (29.4.1): of guest tables, linear and combined mappings; of the EPT, guest-physical ones. */
enum dimension { DIMENSION_GUEST, DIMENSION_NESTED };

#define WALK_CACHE_MOST 64
struct recent { u8 room, used; u64 key[WALK_CACHE_MOST]; /* the last one used first */ };

enum { WITHOUT_WALK_CACHE = 1, WITHOUT_NESTED_TLB = 2 };
struct walk_caches {
    u8 without;                 /* switched off (--timing) */
    bool walking;               /* the modelled processor walks: look here. Otherwise the emulator looks something up for itself */
    struct recent entries, nested;
    u32 entry_cycles, nested_cycles; /* a hit costs */
    u64 entry_hits, nested_hits, saved /* references that were not made */, hit_cycles; /* counted, never reset */
};

/* How many entries (0: the processor has no such cache; at most WALK_CACHE_MOST), and the cycles of a hit. What was held is forgotten. */
void walk_caches_size(struct walk_caches *w, u64 entries, u32 entry_cycles, u64 nested, u32 nested_cycles);

/* One entry of a paging structure is read, at `at` in the memory that holds that dimension's tables. True: it must come from memory. `keep`: it
 * is present, well-formed and not the last of its walk, so that it may be cached. */
bool walk_caches_read(struct walk_caches *w, u64 at, enum dimension d, bool keep);

/* The nested TLB: does it hold the page of that gpa, where a guest's paging structure lies? The walk of `depth` entries that it spares is counted
 * by walk_caches_spare(). */
bool walk_caches_find(struct walk_caches *w, u64 gpa);
void walk_caches_spare(struct walk_caches *w, unsigned depth);
void walk_caches_keep(struct walk_caches *w, u64 gpa);

/* Invalidation. Of a whole dimension: guest, what MOV to CR3, INVLPG, INVVPID and transitions without VPID do (SDM vol. 3, 4.10.4.1,
 * 29.4.3.1); nested, INVEPT. Of one entry or one gpa: an EPT violation. */
void walk_caches_drop(struct walk_caches *w, enum dimension d);
void walk_caches_drop_entry(struct walk_caches *w, u64 at, enum dimension d);
void walk_caches_drop_gpa(struct walk_caches *w, u64 gpa);

#endif
