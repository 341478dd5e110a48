/* SPDX-License-Identifier: MIT */
/*
 * From a guest address to its host code, for jumps whose target is not known before: returns, calls through pointers, and all that
 * leave their page. It is a two-level table like the guest's own page tables, and for the same reason: the upper level
 * belongs to an address space, the lower one to a page, which many address spaces show.
 *
 *     view        one window under one key        directory[gva page] -> table of a code page
 *     code page   one guest page under one key    entry[byte of the page] -> host code
 *
 * No entry is empty: where there is no unit, it leads to the miss stub, and where there is no code page, to the table of
 * one without units. So the jump needs no test (maker.h, jump_by_table). A directory's entry is biased by its own address,
 * so that it may be indexed by the whole of EIP.
 *
 * A process that was just started finds all that was ever translated of its program, and of the kernel, as soon as it is
 * there in its page tables.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bt/emit.h"

#define DIRECTORY_SIZE (PAGES * sizeof(u64))
#define ENTRIES PAGE_SIZE
#define CLEAR_BY_HAND 16        /* pages of a directory */

static unsigned hash_of(gpa_t gpa, u32 gva_page) { return ((gpa >> PAGE_SHIFT) ^ gva_page * 0x9e3779b1u >> 8) % PAGE_HASH; }

/* What a directory holds for that page: indexed by all of EIP it gives the page's own entries. */
static u64 biased(const u32 *entry, u64 gva_page) { return (u64)entry - (gva_page << PAGE_SHIFT) * sizeof *entry; }
static u64 nowhere(const struct bt *b, u64 gva_page) { return biased(b->entries, gva_page); }

static void fill_with_miss(const struct bt *b, u32 *entry)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        entry[i] = (u64)b->exec + b->miss;
}

/* --- set-up --- */

int code_pages_init(struct bt *b, u32 count, struct error *err)
{
    b->max_code_pages = count;
    b->code_page = calloc(count, sizeof *b->code_page);
    b->entries = mmap(NULL, (u64)count * ENTRIES * sizeof *b->entries, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!b->code_page || b->entries == MAP_FAILED)
        return error_set(err, "bt: no memory for %u code pages", count);
    code_pages_flush(b);
    return 0;
}

void code_pages_fini(struct bt *b)
{
    free(b->code_page);
    if (b->entries && b->entries != MAP_FAILED)
        munmap(b->entries, (u64)b->max_code_pages * ENTRIES * sizeof *b->entries);
}

void code_pages_flush(struct bt *b)
{
    memset(b->code_page_hash, 0, sizeof b->code_page_hash);
    b->free_code_page = NULL;
    b->ncode_pages = 1;
    fill_with_miss(b, b->entries);
    for (unsigned i = 0; i < MAX_WINDOWS; i++)
        if (b->window[i].base)
            views_reset(b, &b->window[i]);
}

/* --- views --- */

/* A directory is 8 MiB, of which a guest needs some pages. Those that nobody has looked at are not there; the first jump through one
 * faults (fault.c), and it is made. */
static u64 *map_directory(void *at)
{
    void *p = mmap(at, DIRECTORY_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* `first`: of the pages that one page of the directory is about. */
static void lead_nowhere(struct bt *b, struct view *v, u32 first)
{
    for (u32 page = first; page < first + DIRECTORY_ENTRIES; page++)
        v->directory[page] = nowhere(b, page);
}

/* A view gets another key: firmware and loaders, which go from mode to mode, do that many times a millisecond. What is there of the directory
 * is cleared by hand where that is little, since the host takes long to map anything. */
static void view_clear(struct bt *b, struct view *v)
{
    unsigned there = 0;
    for (unsigned i = 0; i < ARRAY_LEN(v->filled); i++)
        there += __builtin_popcountll(v->filled[i]);
    if (there > CLEAR_BY_HAND) {
        map_directory(v->directory);
        memset(v->filled, 0, sizeof v->filled);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(v->filled); i++)
        for (u64 bits = v->filled[i]; bits; bits &= bits - 1)
            lead_nowhere(b, v, (i * 64 + __builtin_ctzll(bits)) * DIRECTORY_ENTRIES);
}

static void fill_directory(struct bt *b, struct view *v, u32 gva_page)
{
    u32 first = gva_page & ~(DIRECTORY_ENTRIES - 1);
    if (view_knows(v, gva_page))
        return;
    mprotect(v->directory + first, PAGE_SIZE, PROT_READ | PROT_WRITE);
    lead_nowhere(b, v, first);
    v->filled[gva_page / DIRECTORY_ENTRIES / 64] |= BIT(gva_page / DIRECTORY_ENTRIES % 64);
}

bool view_fault(struct bt *b, struct view *v, u64 hva)
{
    u64 offset = hva - (u64)v->directory;
    if (offset >= DIRECTORY_SIZE || view_knows(v, offset / sizeof(u64)))
        return false;
    fill_directory(b, v, offset / sizeof(u64));
    return true;
}

void views_reset(struct bt *b, struct window *w)
{
    for (unsigned i = 0; i < MAX_VIEWS; i++) {
        if (w->view[i].used)
            view_clear(b, &w->view[i]);
        w->view[i].used = false;
    }
    b->space_epoch++;
    madvise(w->code, PAGES / 8, MADV_DONTNEED);
}

void views_release(struct window *w)
{
    for (unsigned i = 0; i < MAX_VIEWS; i++)
        if (w->view[i].directory)
            munmap(w->view[i].directory, DIRECTORY_SIZE);
    memset(w->view, 0, sizeof w->view);
}

static bool view_reserve(struct view *v)
{
    if (v->directory)
        return true;
    v->directory = map_directory(NULL);
    return v->directory;
}

struct view *view_for(struct bt *b, struct window *w, u32 key)
{
    struct view *oldest = &w->view[0];
    for (unsigned i = 0; i < MAX_VIEWS; i++) {
        struct view *v = &w->view[i];
        if (v->used && v->key == key) {
            v->last_used = b->window_clock;
            return v;
        }
        if (!v->used || (oldest->used && v->last_used < oldest->last_used))
            oldest = v;
    }
    if (!view_reserve(oldest))
        return NULL;
    view_clear(b, oldest);
    b->space_epoch++;
    oldest->used = true;
    oldest->key = key;
    oldest->last_used = b->window_clock;
    return oldest;
}

void views_forget_page(struct bt *b, struct window *w, u32 gva_page)
{
    if (!page_bit(w->code, gva_page))
        return;
    page_bit_clear(w->code, gva_page);
    for (unsigned i = 0; i < MAX_VIEWS; i++)
        if (w->view[i].used && view_knows(&w->view[i], gva_page))
            w->view[i].directory[gva_page] = nowhere(b, gva_page);
}

/* --- code pages --- */

static struct code_page *code_page_find(struct bt *b, gpa_t gpa, u32 gva_page, u32 key)
{
    struct code_page *p = b->code_page_hash[hash_of(gpa, gva_page)];
    while (p && (p->gpa != gpa || p->gva_page != gva_page || p->key != key))
        p = p->next;
    return p;
}

static struct code_page *code_page_new(struct bt *b, gpa_t gpa, u32 gva_page, u32 key)
{
    struct code_page *p = b->free_code_page;
    if (p)
        b->free_code_page = p->next;
    else if (b->ncode_pages < b->max_code_pages)
        p = &b->code_page[b->ncode_pages++];
    else
        return NULL;
    struct code_page **head = &b->code_page_hash[hash_of(gpa, gva_page)];
    *p = (struct code_page){ .gpa = gpa, .gva_page = gva_page, .key = key, .entry = b->entries + (p - b->code_page) * (u64)ENTRIES, .next = *head };
    fill_with_miss(b, p->entry);
    return *head = p;
}

/* No view leads there any more. */
static void code_page_detach(struct bt *b, struct code_page *p)
{
    u64 leads_here = biased(p->entry, p->gva_page);
    for (unsigned i = 0; i < MAX_WINDOWS; i++)
        for (unsigned k = 0; k < MAX_VIEWS; k++)
            if (view_knows(&b->window[i].view[k], p->gva_page) && b->window[i].view[k].directory[p->gva_page] == leads_here)
                b->window[i].view[k].directory[p->gva_page] = nowhere(b, p->gva_page);
}

/* Its last unit is gone. */
static void code_page_free(struct bt *b, struct code_page *p)
{
    struct code_page **at = &b->code_page_hash[hash_of(p->gpa, p->gva_page)];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    code_page_detach(b, p);
    p->next = b->free_code_page;
    b->free_code_page = p;
}

void code_page_forget(struct bt *b, struct unit *u)
{
    if (!u->page)
        return;
    u->page->entry[u->eip & ~PAGE_MASK] = (u64)b->exec + b->miss;
    if (--u->page->live == 0)
        code_page_free(b, u->page);
    u->page = NULL;
}

/* --- units that cross into a second page --- */

/* They hold only where the page behind is the one that was translated. So a code page with such a unit is for those views that show that page
 * next; and if another one wants it, the unit is found by the monitor alone from then on. */
static bool shows_next(struct bt_vcpu *t, u32 gva_page, gpa_t second)
{
    struct xlat x;
    struct mmu_fault f;
    u8 perms;
    u32 gva = (gva_page + 1) << PAGE_SHIFT;
    if (mmu_probe(&t->cpu->mmu, gva, ACCESS_EXEC, t->window->user, &x) < 0 || mmu_second(&t->cpu->mmu, gva, ACCESS_EXEC, &x.gpa, &perms, &f) < 0 || x.gpa != second)
        return false;
    window_depend(t->bt, t->window, &t->cpu->mmu, &x, gva);
    page_bit_set(t->window->code, (gva_page + 1) % PAGES);
    return true;
}

static void forget_crossing(struct bt *b, struct code_page *p)
{
    p->second = NO_SECOND;
    for (unsigned i = 0; i < b->nunits; i++)
        if (b->units[i].page == p && b->units[i].gpa[1])
            code_page_forget(b, &b->units[i]);
}

/* May that unit be entered into the page's table? */
static bool may_enter(struct bt *b, struct code_page *p, const struct unit *u)
{
    if (!u->gpa[1])
        return true;
    if (!p->second) {
        p->second = u->gpa[1];
        code_page_detach(b, p); /* who shows it already was not asked what comes next */
    }
    return p->second == u->gpa[1];
}

/* --- */

static void enter(struct bt *b, struct code_page *p, struct unit *u)
{
    p->entry[u->eip & ~PAGE_MASK] = (u64)b->exec + u->host + u->entry;
    p->live++;
    u->page = p;
}

bool view_install(struct bt_vcpu *t, struct unit *u)
{
    struct bt *b = t->bt;
    u32 gva_page = u->eip >> PAGE_SHIFT;
    gpa_t gpa = u->gpa[0] & PAGE_MASK;
    struct code_page *p = u->page ? u->page : code_page_find(b, gpa, gva_page, u->key);
    if (!p && !(p = code_page_new(b, gpa, gva_page, u->key)))
        return false;
    if (!u->page && may_enter(b, p, u))
        enter(b, p, u);
    if (p->second && p->second != NO_SECOND && !shows_next(t, gva_page, p->second))
        forget_crossing(b, p);
    if (!u->page)
        return true;
    fill_directory(b, t->view, gva_page);
    t->view->directory[gva_page] = biased(p->entry, gva_page);
    page_bit_set(t->window->code, gva_page);
    return true;
}
