/* SPDX-License-Identifier: MIT */
/*
 * Traces: which window was filled from which page of the guest's page tables. Such a page is marked, so that no window
 * shows it writable and every write to it is seen here; what the written entries governed is dropped.
 *
 * The top-level table of an address space is treated apart (root.c): it is rewritten as a whole whenever a process ends and another one
 * begins, and most of its entries, those of the kernel, come out as they were.
 */
#include <stdlib.h>

#include "bt/internal.h"


static struct trace_dep *find(struct bt *b, gpa_t page, u32 window, u32 va_base, u8 span_shift)
{
    struct trace_dep *d = b->traces[page_hash(page)];
    while (d && (d->page != page || d->window != window || d->va_base != va_base || d->span_shift != span_shift))
        d = d->next;
    return d;
}

static struct trace_dep *add(struct bt *b, gpa_t page, u32 window, u32 va_base, u8 span_shift)
{
    struct trace_dep **head = &b->traces[page_hash(page)], *d = malloc(sizeof *d);
    *d = (struct trace_dep){ .page = page, .window = window, .va_base = va_base, .span_shift = span_shift, .next = *head };
    *head = d;
    physmap_mark(b->map, page, MARK_TRACE);
    return d;
}

void trace_root(struct bt *b, struct window *w, gpa_t page)
{
    u32 index = w - b->window;
    if (!find(b, page, index, 0, ROOT_SPAN))
        add(b, page, index, 0, ROOT_SPAN);
}

void trace_entry(struct bt *b, struct window *w, gpa_t entry_gpa, u8 entry_size, u8 span_shift, u32 gva)
{
    gpa_t page = entry_gpa & PAGE_MASK;
    u64 span = BIT(span_shift);
    u32 va_base = (gva & ~(span - 1)) - (entry_gpa & ~PAGE_MASK) / entry_size * span;
    struct trace_dep *d = find(b, page, w - b->window, va_base, span_shift);
    if (!d)
        d = add(b, page, w - b->window, va_base, span_shift);
    d->entry_size = entry_size;
    d->idle_writes = 0;
}

/* What entries first..last of a page table govern is no longer known. */
static void drop_entries(struct bt *b, const struct trace_dep *d, u32 first, u32 last)
{
    u32 pages = BIT(d->span_shift - PAGE_SHIFT);
    for (u32 i = first; i <= last; i++)
        window_drop(b, &b->window[d->window], (u32)(d->va_base + ((u64)i << d->span_shift)) >> PAGE_SHIFT, pages);
}

static void written(struct bt *b, const struct trace_dep *d, u32 offset, u64 len)
{
    if (d->span_shift == ROOT_SPAN)
        root_written(b, &b->window[d->window]);
    else
        drop_entries(b, d, offset / d->entry_size, (offset + len - 1) / d->entry_size);
}

/* Nobody has used it as a page table for many writes: it is data now. */
static void untrace(struct bt *b, gpa_t page)
{
    for (struct trace_dep **p = &b->traces[page_hash(page)]; *p;) {
        struct trace_dep *d = *p;
        if (d->page != page) {
            p = &d->next;
            continue;
        }
        if (d->span_shift == ROOT_SPAN)
            root_lost(b, &b->window[d->window]);
        else
            drop_entries(b, d, 0, PAGE_SIZE / d->entry_size - 1);
        *p = d->next;
        free(d);
    }
    b->stats.untraced++;
    physmap_unmark(b->map, page, MARK_TRACE);
}

void windows_pt_written(struct bt *b, gpa_t gpa, u64 len)
{
    gpa_t page = gpa & PAGE_MASK;
    bool in_use = false;
    for (struct trace_dep *d = b->traces[page_hash(page)]; d; d = d->next) {
        if (d->page != page)
            continue;
        written(b, d, gpa & ~PAGE_MASK, len);
        in_use |= ++d->idle_writes < UNTRACE_AFTER;
    }
    if (!in_use)
        untrace(b, page);
}

/* Take out what holds of a window; of one page alone, or of all (page ~0). */
static void forget(struct bt *b, unsigned h, u32 window, gpa_t page)
{
    for (struct trace_dep **p = &b->traces[h]; *p;) {
        struct trace_dep *d = *p;
        if (d->window != window || (page != ~(gpa_t)0 && (d->page != page || d->span_shift != ROOT_SPAN))) {
            p = &d->next;
            continue;
        }
        *p = d->next;
        free(d);
    }
}

void untrace_root(struct bt *b, struct window *w, gpa_t page) { forget(b, page_hash(page), w - b->window, page); }

void traces_forget_window(struct bt *b, u32 index)
{
    for (unsigned h = 0; h < PAGE_HASH; h++)
        forget(b, h, index, ~(gpa_t)0);
}

void traces_fini(struct bt *b)
{
    for (unsigned i = 0; i < MAX_WINDOWS; i++)
        traces_forget_window(b, i);
}
