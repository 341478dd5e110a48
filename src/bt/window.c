/* SPDX-License-Identifier: MIT */
/*
 * Windows: shadow page tables made of host mappings.
 *
 * A window is 4 GiB of this process's address space that mirror the guest's linear space: the guest page at gva is the
 * host page at base + gva, a mapping of the same memfd page. So a translated memory access is one host instruction, and the
 * host's MMU does the guest's walk. What is not mapped faults; the fault is hidden from the guest when its own tables
 * allow the access (window_fill), and true otherwise.
 *
 * One window serves one address space under one privilege, and stays over CR3 loads. That is right only as long as every write
 * to a guest page table that it was filled from is seen: those pages are traced (marked MARK_TRACE and mapped read-only in
 * all windows), and a write to one drops what the changed entry governed. SDM vol. 3, 4.10.4.3 allows a processor to keep less or more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt/emit.h"

#define WINDOW_SIZE ((u64)1 << 32)
#define WINDOW_GUARD ((u64)1 << 20)     /* an access at the top may reach over 4 GiB: it must fault, and then wraps in the interpreter */


static void *reserve(u64 size, int prot)
{
    return mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int windows_init(struct bt *b, struct error *err)
{
    b->guard = reserve(GUARD_SIZE, PROT_NONE);
    if (b->guard == MAP_FAILED || mprotect(b->guard, PAGE_SIZE, PROT_READ) < 0)
        return error_set(err, "bt: cannot reserve address space (%s)", strerror(errno));
    return 0;
}

static void unmap(void *p, u64 size)
{
    if (p && p != MAP_FAILED)
        munmap(p, size);
}

/* Give the window's address space back; it is as before window_reserve(). */
static void window_release(struct window *w)
{
    unmap(w->base, WINDOW_SIZE + WINDOW_GUARD);
    unmap(w->frame, PAGES * sizeof *w->frame);
    unmap(w->present, PAGES / 8);
    unmap(w->writable, PAGES / 8);
    unmap(w->code, PAGES / 8);
    views_release(w);
    w->base = NULL;
}

/* 0, or -1 when the process may not have so much address space (ulimit -v). */
int window_reserve(struct window *w)
{
    w->base = reserve(WINDOW_SIZE + WINDOW_GUARD, PROT_NONE);
    w->frame = reserve(PAGES * sizeof *w->frame, PROT_READ | PROT_WRITE);
    w->present = reserve(PAGES / 8, PROT_READ | PROT_WRITE);
    w->writable = reserve(PAGES / 8, PROT_READ | PROT_WRITE);
    w->code = reserve(PAGES / 8, PROT_READ | PROT_WRITE);
    bool ok = w->base != MAP_FAILED && w->present != MAP_FAILED && w->frame != MAP_FAILED && w->writable != MAP_FAILED && w->code != MAP_FAILED;
    if (!ok)
        window_release(w);
    return ok ? 0 : -1;
}

void windows_fini(struct bt *b)
{
    for (unsigned i = 0; i < MAX_WINDOWS; i++)
        if (b->window[i].base)
            window_release(&b->window[i]);
    unmap(b->guard, GUARD_SIZE);
    traces_fini(b);
    rmap_fini(b);
}

static gpa_t frame_gpa(const struct window *w, u32 gva_page) { return (gpa_t)w->frame[gva_page] << PAGE_SHIFT; }

/* The next page from p on, before `end`, of which the window knows something; `end` if there is none. */
static u32 next_known(const struct window *w, u32 p, u32 end)
{
    while (p < end) {
        u64 known = (w->present[p / 64] | w->code[p / 64]) >> p % 64;
        if (known)
            return p + __builtin_ctzll(known) < end ? p + __builtin_ctzll(known) : end;
        p = (p | 63) + 1;
    }
    return end;
}

/* --- areas --- */

/* Is page p part of the same host mapping as the page before it? */
static bool merges(const struct window *w, u32 p)
{
    return p && page_bit(w->present, p - 1) && page_bit(w->writable, p) == page_bit(w->writable, p - 1) && w->frame[p] == w->frame[p - 1] + 1;
}

/* Host areas that [first, first + n) and the pages beside it make: one where a mapping begins, one where a gap does. Counted, not
 * asked for, so that when windows are emptied depends on the guest alone. */
static u32 areas_around(const struct window *w, u32 first, u32 n)
{
    u32 begin = first ? first - 1 : 0, end = first + n < PAGES ? first + n + 1 : PAGES, areas = 0;
    for (u32 p = next_known(w, begin, end); p < end; p = next_known(w, p + 1, end))
        if (page_bit(w->present, p))
            areas += !merges(w, p) + !(p + 1 < PAGES && page_bit(w->present, p + 1));
    return areas;
}

/* --- dropping --- */

static void drop_page(struct bt *b, struct window *w, u32 p)
{
    if (page_bit(w->code, p) && p)
        views_forget_page(b, w, p - 1); /* one of its units may cross into this page */
    views_forget_page(b, w, p);
    if (!page_bit(w->present, p))
        return;
    rmap_remove(b, frame_gpa(w, p), w - b->window, p);
    page_bit_clear(w->present, p);
    page_bit_clear(w->writable, p);
    w->mapped--;
}

static void unmap_pages(struct window *w, u32 first, u32 n)
{
    mmap(w->base + ((u64)first << PAGE_SHIFT), (u64)n << PAGE_SHIFT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* Forget all that the window knows of [first, first + n). */
void window_drop(struct bt *b, struct window *w, u32 first, u32 n)
{
    u32 end = first + n, lowest = end, highest = 0, areas = areas_around(w, first, n);
    for (u32 p = next_known(w, first, end); p < end; p = next_known(w, p + 1, end)) {
        if (page_bit(w->present, p)) {
            lowest = lowest < p ? lowest : p;
            highest = p;
        }
        drop_page(b, w, p);
    }
    if (lowest < end)
        unmap_pages(w, lowest, highest - lowest + 1);
    b->areas += areas_around(w, first, n) - areas;
}

void window_empty(struct bt *b, struct window *w)
{
    if (!w->base)
        return;
    b->areas -= areas_around(w, 0, PAGES);
    for (u32 p = next_known(w, 0, PAGES); w->mapped; p = next_known(w, p + 1, PAGES))
        drop_page(b, w, p);
    mmap(w->base, WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    madvise(w->frame, PAGES * sizeof *w->frame, MADV_DONTNEED);
    madvise(w->present, PAGES / 8, MADV_DONTNEED);
    madvise(w->writable, PAGES / 8, MADV_DONTNEED);
    views_reset(b, w);
    w->mapped = 0;
    b->space_epoch++;
    traces_forget_window(b, w - b->window);
    memset(w->slot_used, 0, sizeof w->slot_used);
    w->root = NO_ROOT;
}

void windows_flush(struct bt *b)
{
    for (unsigned i = 0; i < MAX_WINDOWS; i++)
        window_empty(b, &b->window[i]);
}

/* --- showing --- */

bool window_map(struct bt *b, struct window *w, const struct region *r, u32 first, u32 n, gpa_t gpa, bool writable)
{
    u32 index = w - b->window, areas = areas_around(w, first, n);
    void *p = mmap(w->base + ((u64)first << PAGE_SHIFT), (u64)n << PAGE_SHIFT, PROT_READ | (writable ? PROT_WRITE : 0),
                   MAP_SHARED | MAP_FIXED | MAP_POPULATE, b->map->fd, r->fd_offset + (gpa - r->gpa));
    if (p == MAP_FAILED)
        return false;
    for (u32 page = first; page < first + n; page++, gpa += PAGE_SIZE) {
        if (page_bit(w->present, page)) {
            rmap_remove(b, frame_gpa(w, page), index, page);
            w->mapped--;
        }
        w->frame[page] = gpa >> PAGE_SHIFT;
        page_bit_set(w->present, page);
        (writable ? page_bit_set : page_bit_clear)(w->writable, page);
        rmap_add(b, gpa, index, page);
        w->mapped++;
    }
    b->areas += areas_around(w, first, n) - areas;
    return true;
}

/* Top-level tables of 32-bit paging are the root's (space.c); all below are traced entry by entry. */
void window_depend(struct bt *b, struct window *w, const struct mmu *u, const struct xlat *x, u32 gva)
{
    root_depend(b, w, u, x, gva);
    for (unsigned i = u->mode == PAGING_32; i < x->depth; i++)
        trace_entry(b, w, x->entry[i].gpa, x->entry[i].size, x->entry[i].span_shift, gva);
}

/* False if the host refuses. */
static bool protect_page(struct bt *b, struct window *w, u32 p)
{
    u32 areas = areas_around(w, p, 1);
    if (mprotect(w->base + ((u64)p << PAGE_SHIFT), PAGE_SIZE, PROT_READ) < 0)
        return false;
    page_bit_clear(w->writable, p);
    b->areas += areas_around(w, p, 1) - areas;
    return true;
}

/* A page got watched: no window may show it writable any more. */
void windows_marked(struct bt *b, gpa_t page, u8 marks)
{
    if (!(marks & (MARK_TRACE | MARK_CODE | MARK_DECODED | MARK_DIRTY_LOG | MARK_SHADOW)))
        return;
    for (struct rmap *r = rmap_of(b, page); r; r = r->next) {
        struct window *w = &b->window[r->window];
        if (frame_gpa(w, r->gva_page) != page || !page_bit(w->writable, r->gva_page))
            continue;
        if (!protect_page(b, w, r->gva_page)) {
            windows_flush(b); /* other machines of this process take areas too */
            return;
        }
    }
}
