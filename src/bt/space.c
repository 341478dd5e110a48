/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: which window serves the processor's state, and what of it still holds.
 *
 * A window belongs to one CR3. When there is none, the one that was not used for the longest time is given another address
 * space; and of what it shows, all stays that the new top-level table says as the old one did. That is nearly all in a
 * supervisor's window, since kernels enter themselves into every address space, and nearly nothing in a user's.
 *
 * The same comparison serves a top-level table that was written: kernels take the table of a process that ended for
 * the next one, clear it and fill it anew. So a write to it is only noted (root_written), and looked into when the window is to
 * be used again. An entry of the top level is called a slot here: 1024 of 4 MiB; with PAE the four registers, of 1 GiB.
 */
#include <string.h>

#include "bt/internal.h"

#define CR0_MATTERS (CR0_PG | CR0_WP)
#define CR4_MATTERS ((u64)CR4_PSE | CR4_PAE | CR4_PGE)
#define PDE_ACCESSED BIT(5)
#define PDE_DIRTY BIT(6)
#define PDE_LARGE BIT(7)
#define PDE_SHIFT 22
#define PDPTE_SHIFT 30

/* --- the top level --- */

static unsigned slot_shift(const struct mmu *u) { return u->mode == PAGING_PAE ? PDPTE_SHIFT : PDE_SHIFT; }

/* Accessed and dirty are the processor's own notes. Once they are made they do not matter; but where one is still to be made,
 * nothing may be shown that would skip the walk that makes it. */
static u64 slot_now(struct bt *b, const struct window *w, const struct mmu *u, u32 slot)
{
    if (u->mode == PAGING_PAE)
        return u->pdpte[slot];
    u64 now = physmap_load(b->map, w->root + 4 * slot, 4), notes = PDE_ACCESSED | (now & PDE_LARGE ? PDE_DIRTY : 0);
    return (now & notes) == notes ? now | PDE_ACCESSED | PDE_DIRTY : now;
}

/* The window shows something that this slot governs, as its entry says now. */
void root_depend(struct bt *b, struct window *w, const struct mmu *u, const struct xlat *x, u32 gva)
{
    if (u->mode == PAGING_OFF)
        return;
    u32 slot = gva >> slot_shift(u);
    if (u->mode == PAGING_32 && w->root == NO_ROOT) {
        w->root = x->entry[0].gpa & PAGE_MASK;
        trace_root(b, w, w->root);
    }
    if (w->slot_used[slot / 64] >> slot % 64 & 1)
        return;
    w->slot_used[slot / 64] |= BIT(slot % 64);
    w->slot[slot] = slot_now(b, w, u, slot);
}

void root_written(struct bt *b, struct window *w)
{
    w->root_changed = true;
    b->space_epoch++;
}

/* It is no longer traced: whatever it says may change. */
void root_lost(struct bt *b, struct window *w)
{
    root_written(b, w);
    w->root_untraced = true;
}

/* Drop what the slots that changed govern. */
static void compare_slots(struct bt *b, struct window *w, const struct mmu *u)
{
    unsigned shift = slot_shift(u);
    for (unsigned i = 0; i < ARRAY_LEN(w->slot_used); i++) {
        for (u64 left = w->slot_used[i]; left; left &= left - 1) {
            u32 slot = i * 64 + __builtin_ctzll(left);
            if (w->slot[slot] == slot_now(b, w, u, slot))
                continue;
            window_drop(b, w, (u64)slot << shift >> PAGE_SHIFT, BIT(shift - PAGE_SHIFT));
            w->slot_used[i] &= ~BIT(slot % 64);
        }
    }
}

/* Where is the top-level table of 32-bit paging? NO_ROOT if nobody knows. */
static gpa_t root_of(struct cpu *c)
{
    struct mmu_fault f;
    u8 perms;
    gpa_t root = c->mmu.cr3 & 0xfffff000;
    if (mmu_second(&c->mmu, 0, ACCESS_READ, &root, &perms, &f) < 0)
        return NO_ROOT;
    root &= PAGE_MASK;
    return physmap_ptr_ro(c->mmu.map, root, PAGE_SIZE) ? root : NO_ROOT;
}

/* Make the window hold again after its root changed. */
static void root_settle(struct bt *b, struct window *w, struct cpu *c)
{
    if (!w->root_changed)
        return;
    if (w->root_untraced)
        trace_root(b, w, w->root);
    compare_slots(b, w, &c->mmu);
    w->root_changed = w->root_untraced = false;
}

/* --- finding the window of a processor state --- */

/* But for the address space. */
static bool same_kind(const struct window *w, const struct cpu *c, bool user, u32 limit)
{
    const struct mmu *u = &c->mmu;
    return w->used && w->user == user && w->limit == limit && w->stage2 == u->stage2 && w->cr0 == (u->cr0 & CR0_MATTERS) && w->cr4 == (u->cr4 & CR4_MATTERS) && w->efer == u->efer;
}

static bool same_space(const struct window *w, const struct mmu *u)
{
    return u->mode == PAGING_OFF || (w->cr3 == u->cr3 && (u->mode != PAGING_PAE || !memcmp(w->pdpte, u->pdpte, sizeof w->pdpte)));
}

/* The window to be given away: of the same kind, if it has its share of them; otherwise of any. */
static struct window *least_recent(struct bt *b, const struct cpu *c, bool user, u32 limit)
{
    struct window *any = &b->window[0], *same = NULL;
    unsigned nsame = 0;
    for (unsigned i = 0; i < b->nwindows; i++) {
        struct window *w = &b->window[i];
        if (!w->used)
            any = w;
        else if (any->used && w->last_used < any->last_used)
            any = w;
        if (!same_kind(w, c, user, limit))
            continue;
        nsame++;
        if (!same || w->last_used < same->last_used)
            same = w;
    }
    return nsame >= b->nwindows / 2 ? same : any;
}

static void assign(struct bt *b, struct window *w, const struct cpu *c, bool user, u32 limit)
{
    const struct mmu *u = &c->mmu;
    b->space_epoch++;
    w->used = true;
    w->user = user;
    w->limit = limit;
    w->stage2 = u->stage2;
    w->cr0 = u->cr0 & CR0_MATTERS;
    w->cr3 = u->cr3;
    w->cr4 = u->cr4 & CR4_MATTERS;
    w->efer = u->efer;
    memcpy(w->pdpte, u->pdpte, sizeof w->pdpte);
}

/* Give the window another address space of the same kind. False: it must be emptied. */
static bool retarget(struct bt *b, struct window *w, struct cpu *c)
{
    gpa_t old = w->root;
    if (c->mmu.mode == PAGING_32) {
        gpa_t root = root_of(c);
        if (old == NO_ROOT || root == NO_ROOT)
            return false;
        untrace_root(b, w, old);
        w->root = root;
        trace_root(b, w, root);
    }
    compare_slots(b, w, &c->mmu);
    w->root_changed = w->root_untraced = false;
    return true;
}

static struct window *new_window(struct bt *b, struct cpu *c, bool user, u32 limit)
{
    struct window *w = least_recent(b, c, user, limit);
    b->stats.windows_made++;
    b->stats.windows_lost += w->used;
    if (!w->base && window_reserve(w) < 0)
        return NULL;
    if (!same_kind(w, c, user, limit) || !retarget(b, w, c))
        window_empty(b, w);
    assign(b, w, c, user, limit);
    return w;
}

struct window *window_for(struct bt *b, struct cpu *c, u32 limit)
{
    bool user = state_cpl(&c->state) == 3;
    struct window *w = NULL;
    for (unsigned i = 0; i < b->nwindows && !w; i++)
        if (same_kind(&b->window[i], c, user, limit) && same_space(&b->window[i], &c->mmu))
            w = &b->window[i];
    w = w ? w : new_window(b, c, user, limit);
    if (!w)
        return NULL;
    w->last_used = ++b->window_clock;
    root_settle(b, w, c);
    return w;
}
