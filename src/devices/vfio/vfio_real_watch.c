/* SPDX-License-Identifier: MIT */
/*
 * A translator keeps translations of the guest's code, a monitor shadows of its page tables. Whoever writes there through this process is
 * noticed (physmap.h); a real device is not. So of the pages of which an engine has made something a digest is kept, and when a device
 * interrupts, which is how it says that it has written, they are compared. A disk's driver that reads a program into pages which held
 * another one needs that. Where the guest's code runs as it is (kvm's host backend) no page is marked, and this costs nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/vfio/vfio_real.h"

enum { ALL_MARKS = MARK_DECODED | MARK_CODE | MARK_TRACE | MARK_SHADOW };

/* Four lanes, so that they do not wait for one another; FNV's prime. */
static u64 digest_of(const struct physmap *m, u64 number)
{
    const u64 prime = 0x100000001b3;
    u64 word[PAGE_SIZE / 8], lane[4] = { 1, 2, 3, 4 };
    const u8 *at = physmap_ptr_ro(m, number << PAGE_SHIFT, PAGE_SIZE);
    if (!at)
        return 0;
    memcpy(word, at, sizeof word);
    for (unsigned i = 0; i < ARRAY_LEN(word); i++)
        lane[i % 4] = (lane[i % 4] ^ word[i]) * prime;
    return ((lane[0] * prime ^ lane[1]) * prime ^ lane[2]) * prime ^ lane[3];
}

static struct real_page *find(const struct real_watch *w, u64 number) { return number < w->pages && w->place[number] ? &w->page[w->place[number] - 1] : NULL; }

static bool grow(struct real_watch *w)
{
    u32 room = w->room ? 2 * w->room : 256;
    struct real_page *page = w->count < w->room ? w->page : realloc(w->page, room * sizeof *page);
    if (!page)
        return false;
    w->room = w->count < w->room ? w->room : room;
    w->page = page;
    return true;
}

static void on_marked(void *opaque, gpa_t gpa, u8 marks)
{
    struct real_watch *w = opaque;
    u64 number = gpa >> PAGE_SHIFT;
    if (!(marks & ALL_MARKS) || number >= w->pages || w->place[number] || !grow(w))
        return;
    w->page[w->count++] = (struct real_page){ number, digest_of(w->map, number) };
    w->place[number] = w->count;
}

static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct real_watch *w = opaque;
    struct real_page *p = find(w, gpa >> PAGE_SHIFT);
    if (p)
        p->digest = digest_of(w->map, p->number);
}

static void forget(struct real_watch *w, u32 i)
{
    w->place[w->page[i].number] = 0;
    w->page[i] = w->page[--w->count];
    if (i < w->count)
        w->place[w->page[i].number] = i + 1;
}

/* From the end: what is told to engines may take marks away, and add others behind. */
void real_watch_look(struct real_watch *w)
{
    for (u32 i = w->count; i-- > 0;) {
        u64 number = w->page[i].number, now;
        if (!(physmap_marks(w->map, number << PAGE_SHIFT) & ALL_MARKS)) {
            forget(w, i);
            continue;
        }
        now = digest_of(w->map, number);
        if (now == w->page[i].digest)
            continue;
        w->rewritten++;
        physmap_written(w->map, number << PAGE_SHIFT, PAGE_SIZE);
    }
}

void real_watch_start(struct real_watch *w, struct physmap *map)
{
    gpa_t end = 0;
    for (unsigned i = 0; i < map->nregions; i++)
        if (map->region[i].kind == REGION_RAM)
            end = map->region[i].gpa + map->region[i].size;
    *w = (struct real_watch){ .map = map, .pages = end >> PAGE_SHIFT };
    w->place = calloc(w->pages ? w->pages : 1, sizeof *w->place);
    w->pages = w->place ? w->pages : 0;
    w->observer = (struct phys_observer){ .marks = ALL_MARKS, .written = on_written, .marked = on_marked, .opaque = w };
    physmap_observe(map, &w->observer);
}

void real_watch_stop(struct real_watch *w)
{
    if (w->map)
        physmap_unobserve(w->map, &w->observer);
    free(w->place);
    free(w->page);
    *w = (struct real_watch){ .map = NULL };
}
