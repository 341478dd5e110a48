/* SPDX-License-Identifier: MIT */
/*
 * Filling: translated code touched a page that its window does not show, or not so. Is the fault hidden from the guest, since its own
 * tables allow the access, or true? The walk is the guest's own, with the A and D bits that it sets.
 */
#include <inttypes.h>

#include "bt/internal.h"

#define MAX_AREAS 50000                 /* host mappings in all windows, with the gaps between them: the kernel's limit is 65,530 areas a process */
#define MAX_RMAPS (1u << 20)            /* pages shown in all windows: 24 MiB of bookkeeping */
#define AROUND 32                       /* pages that one hidden fault fills at most */

/* What a translation allows, beyond the one page that was asked for. */
struct grant {
    struct region *region;
    gpa_t gpa;                  /* of the page at gva_page */
    u32 gva_page, first, end;   /* the pages around it to which the same translation applies */
    bool writable;              /* by the guest's tables, with D set */
};

/* The host page may be writable at once if nobody watches it. */
static bool may_write(const struct grant *g, gpa_t page)
{
    return g->writable && g->region->kind == REGION_RAM && !g->region->page_marks[(page - g->region->gpa) >> PAGE_SHIFT];
}

/* Within a large page, or without paging, the pages around have the same translation: those near by are shown too, as far as they
 * are writable alike. Kernels see memory that way, and go through it. A look-ahead: what is shown already stays. */
static void look_around(struct window *w, const struct cpu *c, const struct xlat *x, struct grant *g)
{
    u32 size = x->depth ? BIT(x->page_shift - PAGE_SHIFT) : AROUND;
    u32 span = size < AROUND ? size : AROUND, low = g->gva_page & ~(span - 1), high = low + span - 1;
    if (c->mmu.stage2 || span == 1)
        return;
    gpa_t first_gpa = g->region->gpa, end_gpa = first_gpa + g->region->size;
    bool writable = may_write(g, g->gpa);
    while (g->first > low && !page_bit(w->present, g->first - 1)) {
        gpa_t gpa = g->gpa - ((u64)(g->gva_page - g->first + 1) << PAGE_SHIFT);
        if (gpa < first_gpa || gpa >= end_gpa || may_write(g, gpa) != writable)
            break;
        g->first--;
    }
    while (g->end <= high && g->end <= w->limit >> PAGE_SHIFT && !page_bit(w->present, g->end)) {
        gpa_t gpa = g->gpa + ((u64)(g->end - g->gva_page) << PAGE_SHIFT);
        if (gpa >= end_gpa || may_write(g, gpa) != writable)
            break;
        g->end++;
    }
}

static bool show(struct bt *b, struct window *w, const struct grant *g)
{
    if (b->areas > MAX_AREAS || b->rmaps > MAX_RMAPS)
        windows_flush(b);
    return window_map(b, w, g->region, g->first, g->end - g->first, g->gpa - ((u64)(g->gva_page - g->first) << PAGE_SHIFT), may_write(g, g->gpa));
}

/* The host faulted at gva. Resolve it if it is a hidden fault; say what it is if it is not. */
enum fill window_fill(struct bt *b, struct window *w, struct cpu *c, u32 gva, bool write)
{
    struct xlat x;
    struct mmu_fault f;
    enum mmu_access a = write ? ACCESS_WRITE : ACCESS_READ;
    u8 perms = PERM_R | PERM_W;
    if (gva > w->limit)
        return FILL_FAULT;
    if (mmu_walk(&c->mmu, gva, a, w->user, &x, &f) < 0 || mmu_second(&c->mmu, gva, a, &x.gpa, &perms, &f) < 0)
        return FILL_FAULT;
    u32 gva_page = gva >> PAGE_SHIFT;
    bool allowed = x.perms & PERM_W || (!w->user && !(c->mmu.cr0 & CR0_WP));
    struct grant g = { physmap_find(b->map, x.gpa), x.gpa & b->map->a20_mask & PAGE_MASK, gva_page, gva_page, gva_page + 1,
                       allowed && x.dirty && perms & PERM_W }; /* otherwise a write faults and asks again */
    if (g.region && g.region->kind == REGION_MMIO && g.region->direct)
        return FILL_DIRECT;
    if (!g.region || g.region->kind == REGION_MMIO || (write && g.region->kind == REGION_ROM))
        return FILL_MMIO;
    u8 marks = g.region->page_marks[(g.gpa - g.region->gpa) >> PAGE_SHIFT];
    look_around(w, c, &x, &g);
    bool shown = write && marks ? true : show(b, w, &g);
    window_depend(b, w, &c->mmu, &x, gva);
    if (write && marks)
        return marks & MARK_TRACE ? FILL_TRACED : FILL_CODE;
    if (!shown) {
        windows_flush(b); /* other machines of this process take areas too */
        return FILL_MMIO;
    }
    b->stats.hidden_faults++;
    trace(c->tracer, SHADOW, "fault=hidden gva=0x%x write=0x%x gpa=0x%" PRIx64, gva, write, x.gpa);
    return FILL_OK;
}
