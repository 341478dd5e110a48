/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: a list of areas says what may be where, page tables say what is there already. Everything between is
 * done by page faults. The tables of a space that the processor may walk are changed through the port only: on a bare PC that is
 * a store, on Xen a request.
 */
#include "os.h"

enum { FAULT_PRESENT = 1, FAULT_WRITE = 2, FAULT_USER = 4 };
enum { AREAS = 256 };
static struct area areas[AREAS], *unused_areas;

static struct area *area_new(void)
{
    static u32 touched;
    struct area *a = unused_areas;
    if (a)
        unused_areas = a->next;
    else if (touched < AREAS)
        a = &areas[touched++];
    else
        kernel_panic("no area left");
    return a;
}

static void area_free(struct area *a)
{
    a->next = unused_areas;
    unused_areas = a;
}

/* --- tables -------------------------------------------------------------------------------------------- */

static entry_t *table_new(struct space *s)
{
    if (s->ntables == TABLES)
        kernel_panic("too many page tables");
    return s->table[s->ntables++] = page_new_zeroed();
}

/* The directory of the one GiB where programs live: slot 1 of the root. */
static entry_t *directory(const struct space *s) { return s->table[1]; }

void space_new(struct space *s)
{
    s->ntables = 0;
    s->sealed = 0;
    s->areas = 0;
    table_new(s);
    s->table[0][PROGRAM_BASE >> 30] = port_root_entry(table_new(s));
    port_add_kernel(s, table_new);
}

void space_seal(struct space *s)
{
    port_seal(s);
    s->sealed = 1;
}

static void set(struct space *s, entry_t *at, entry_t to)
{
    if (s->sealed)
        port_entry_set(at, to);
    else
        *at = to;
}

/* The entry that maps the address. NULL: its table does not exist, and was not to be made. */
static entry_t *entry_of(struct space *s, u32 address, _Bool make)
{
    entry_t *up = &directory(s)[address >> 21 & (ENTRIES - 1)];
    if (!(*up & PTE_PRESENT)) {
        if (!make)
            return 0;
        entry_t *table = table_new(s);
        if (s->sealed)
            port_table(table);
        set(s, up, port_entry(table, PTE_PRESENT | PTE_WRITE | PTE_USER));
        port_flush_entries();
    }
    return (entry_t *)port_page(*up) + (address >> 12 & (ENTRIES - 1));
}

/* The next entry that is present, from *address on. NULL: none before the end. */
static entry_t *next_present(struct space *s, u32 *address, u32 end)
{
    enum { TABLE_SPAN = ENTRIES * PAGE };
    while (*address < end) {
        entry_t *e = entry_of(s, *address, 0);
        u32 span_end = (*address | (TABLE_SPAN - 1)) + 1, at = *address, stop = span_end < end ? span_end : end;
        for (; e && at < stop; at += PAGE, e++)
            if (*e & PTE_PRESENT) {
                *address = at;
                return e;
            }
        *address = stop;
    }
    return 0;
}

/* --- areas --------------------------------------------------------------------------------------------- */

struct area *space_add(struct space *s, u32 start, u32 pages, _Bool writable, _Bool shared, struct inode *file, u32 file_page)
{
    struct area *a = area_new(), **at = &s->areas;
    while (*at && (*at)->start < start)
        at = &(*at)->next;
    *a = (struct area){ start, start + pages * PAGE, writable, shared, file, file_page, *at };
    return *at = a;
}

static struct area *area_find(const struct space *s, u32 address)
{
    struct area *a = s->areas;
    while (a && a->end <= address)
        a = a->next;
    return a && a->start <= address ? a : 0;
}

u32 space_room(struct space *s, u32 pages)
{
    u32 start = MMAP_BASE;
    for (struct area *a = s->areas; a; a = a->next)
        if (a->end > start && a->start < start + pages * PAGE)
            start = a->end;
    return start;
}

/* --- fork: share all pages, and let the first write copy ------------------------------------------------ */

static void share_page(struct space *child, struct space *parent, const struct area *a, u32 address, entry_t *from)
{
    entry_t e = *from;
    if (!a->shared && e & PTE_WRITE) {
        e &= ~(entry_t)PTE_WRITE;
        set(parent, from, e);
    }
    page_get(port_page(e));
    *entry_of(child, address, 1) = e;
}

static void share_area(struct space *child, struct space *parent, const struct area *a)
{
    entry_t *from;
    for (u32 address = a->start; (from = next_present(parent, &address, a->end)); address += PAGE)
        share_page(child, parent, a, address, from);
}

void space_copy(struct space *child, struct space *parent)
{
    space_new(child);
    for (struct area *a = parent->areas; a; a = a->next) {
        space_add(child, a->start, (a->end - a->start) / PAGE, a->writable, a->shared, a->file, a->file_page);
        share_area(child, parent, a);
    }
    port_flush_entries();
    port_flush_tlb();
    space_seal(child);
}

/* --- the end ------------------------------------------------------------------------------------------- */

static void put_area_pages(struct space *s, const struct area *a)
{
    entry_t *e;
    for (u32 address = a->start; (e = next_present(s, &address, a->end)); address += PAGE)
        page_put(port_page(*e));
}

void space_free(struct space *s)
{
    port_unseal(s);
    s->sealed = 0;
    for (struct area *a = s->areas, *next; a; a = next) {
        next = a->next;
        put_area_pages(s, a);
        area_free(a);
    }
    s->areas = 0;
    while (s->ntables)
        page_put(s->table[--s->ntables]);
}

/* A whole area that is in use: its pages are given back when nothing refers to them any more. */
void space_remove(struct space *s, u32 start, u32 pages)
{
    struct area **at = &s->areas, *a;
    while ((a = *at) && (a->start != start || a->end != start + pages * PAGE))
        at = &a->next;
    if (!a)
        return;
    *at = a->next;
    entry_t *e;
    for (u32 address = a->start; (e = next_present(s, &address, a->end)); address += PAGE) {
        page_put(port_page(*e)); /* before anything else can take it, the entry is gone */
        set(s, e, 0);
    }
    port_flush_entries();
    port_flush_tlb();
    area_free(a);
}

/* --- page faults ---------------------------------------------------------------------------------------- */

static entry_t from_file(const struct area *a, u32 address, _Bool write)
{
    u8 *page = inode_page(a->file, a->file_page + (address - a->start) / PAGE);
    if (write && !a->shared)
        return port_entry(page_new_copy(page), PTE_PRESENT | PTE_USER | PTE_WRITE);
    page_get(page);
    return port_entry(page, PTE_PRESENT | PTE_USER | (a->shared && a->writable ? PTE_WRITE : 0));
}

static entry_t missing(const struct area *a, u32 address, _Bool write)
{
    if (a->file)
        return from_file(a, address, write);
    return port_entry(page_new_zeroed(), PTE_PRESENT | PTE_USER | (a->writable ? PTE_WRITE : 0));
}

/* The last who shares a page need not copy it. */
static entry_t copy_on_write(entry_t old)
{
    u8 *page = port_page(old);
    if (page_refs(page) == 1)
        return old | PTE_WRITE;
    entry_t e = port_entry(page_new_copy(page), PTE_PRESENT | PTE_USER | PTE_WRITE);
    page_put(page);
    return e;
}

static _Bool resolve(struct space *s, u32 address, u32 error)
{
    const struct area *a = area_find(s, address);
    _Bool write = error & FAULT_WRITE;
    if (!a || (write && !a->writable))
        return 0;
    entry_t *e = entry_of(s, address, 1);
    port_entry_set_now(address, e, *e & PTE_PRESENT ? copy_on_write(*e) : missing(a, address, write));
    return 1;
}

void fault_handle(struct registers *r)
{
    u32 address = port_fault_address();
    if (current && resolve(&current->space, address, r->error))
        return;
    if (!(r->error & FAULT_USER) && !user_range(address, 1)) {
        print("page fault at %x, error %x, address %x\n", r->eip, r->error, address);
        kernel_panic("page fault in the kernel");
    }
    if (!(r->error & FAULT_USER))
        task_exit(SIGSEGV);     /* a bad pointer in a system call */
    signal_force(SIGSEGV);
    signal_deliver(r);
}
