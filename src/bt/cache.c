/* SPDX-License-Identifier: MIT */
/*
 * The translation cache: units in the order in which they were made, found by guest address, by guest-physical page
 * (when a page is written) and by host address (when one of them faults). When it is full it is emptied and begins anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bt/emit.h"

#define MAPS_PER_UNIT 6         /* instructions, on average; a full cache begins anew */

static unsigned hash_of(u32 eip, gpa_t gpa) { return (eip ^ (gpa >> PAGE_SHIFT) * 0x9e3779b1u) % HASH_SIZE; }

int cache_init(struct bt *b, u32 size, struct error *err)
{
    b->code_size = size / 4;
    b->max_units = size / 4 / (sizeof *b->units + MAPS_PER_UNIT * sizeof *b->maps);
    b->max_maps = b->max_units * MAPS_PER_UNIT;
    b->units = malloc(b->max_units * sizeof *b->units);
    b->maps = malloc(b->max_maps * sizeof *b->maps);
    int fd = memfd_create("emu-translation-cache", MFD_CLOEXEC);
    if (!b->units || !b->maps || fd < 0 || ftruncate(fd, b->code_size) < 0)
        return error_set(err, "bt: no memory for a translation cache of %u MiB: %s", size >> 20, strerror(errno));
    b->code = mmap(NULL, b->code_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    b->exec = mmap(NULL, b->code_size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_32BIT, fd, 0); /* so that four bytes can say where a unit is */
    close(fd);
    if (b->code == MAP_FAILED || b->exec == MAP_FAILED)
        return error_set(err, "bt: this host does not let a program make code at run time (%s)", strerror(errno));
    b->code_segment[0].limit = 0xffffffff;
    b->ncode_segments = 1;
    b->bmi2 = __builtin_cpu_supports("bmi2");
    stubs_emit(b);
    return code_pages_init(b, size / 2 / (PAGE_SIZE * sizeof(u32)), err);
}

void cache_fini(struct bt *b)
{
    code_pages_fini(b);
    free(b->units);
    free(b->maps);
    if (b->code && b->code != MAP_FAILED)
        munmap(b->code, b->code_size);
    if (b->exec && b->exec != MAP_FAILED)
        munmap(b->exec, b->code_size);
}

void cache_flush(struct bt *b)
{
    for (u32 i = 0; i < b->nunits; i++)
        for (int k = 0; k < 2; k++)
            if (b->units[i].gpa[k])
                physmap_unmark(b->map, b->units[i].gpa[k], MARK_CODE);
    memset(b->hash, 0, sizeof b->hash);
    memset(b->page_units, 0, sizeof b->page_units);
    b->stats.units_flushed += b->nunits;
    b->stats.flushes++;
    b->nunits = b->nmaps = 0;
    b->ncode_segments = 1;
    b->epoch++;
    stubs_emit(b);
    code_pages_flush(b);
}

struct unit *cache_find(const struct bt *b, u32 eip, gpa_t gpa, u32 key)
{
    for (struct unit *u = b->hash[hash_of(eip, gpa)]; u; u = u->next_hash)
        if (u->eip == eip && u->gpa[0] == gpa && u->key == key)
            return u;
    return NULL;
}

struct unit *cache_unit_at(struct bt *b, u64 host_rip)
{
    u32 at = host_rip - (u64)b->exec, lo = 0, hi = b->nunits;
    while (lo < hi) {
        u32 mid = (lo + hi) / 2;
        struct unit *u = &b->units[mid];
        if (at < u->host)
            hi = mid;
        else if (at >= u->host + u->host_len)
            lo = mid + 1;
        else
            return u;
    }
    return NULL;
}

void cache_add(struct bt *b, struct unit *u)
{
    unsigned h = hash_of(u->eip, u->gpa[0]);
    u->next_hash = b->hash[h];
    b->hash[h] = u;
    for (int k = 0; k < 2 && (k == 0 || u->gpa[k]); k++) {
        struct unit **head = &b->page_units[page_hash(u->gpa[k])];
        u->next_page[k] = *head;
        *head = u;
        physmap_mark(b->map, u->gpa[k], MARK_CODE);
    }
}

/* --- chaining: a unit's exit jumps straight to the next unit --- */

static void patch(struct bt *b, const struct link *l, u32 to)
{
    u32 rel = to - (l->site + 4);
    memcpy(b->code + l->site, &rel, 4);
}

void cache_chain(struct bt *b, struct link *l, struct unit *to)
{
    if (l->to || l->from->dead)
        return;
    l->to = to;
    l->next = to->incoming;
    to->incoming = l;
    patch(b, l, to->host);
    b->stats.chained++;
}

static void unchain(struct bt *b, struct link *l)
{
    for (struct link **p = &l->to->incoming; *p; p = &(*p)->next) {
        if (*p == l) {
            *p = l->next;
            break;
        }
    }
    l->to = NULL;
    patch(b, l, l->stub);
}

/* --- invalidation --- */

/* Where u stands in the chain of that page: a unit that crosses into a second page hangs in two chains. */
static struct unit **next_on_page(struct unit *u, unsigned hash)
{
    return &u->next_page[page_hash(u->gpa[0]) == hash ? 0 : 1];
}

static void unlink_from_page(struct bt *b, struct unit *u, gpa_t gpa)
{
    unsigned h = page_hash(gpa);
    for (struct unit **p = &b->page_units[h]; *p; p = next_on_page(*p, h)) {
        if (*p == u) {
            *p = *next_on_page(u, h);
            return;
        }
    }
}

void cache_kill(struct bt *b, struct unit *u)
{
    while (u->incoming)
        unchain(b, u->incoming);
    for (int k = 0; k < 2; k++)
        if (u->link[k].to)
            unchain(b, &u->link[k]);
    for (struct unit **p = &b->hash[hash_of(u->eip, u->gpa[0])]; *p; p = &(*p)->next_hash) {
        if (*p == u) {
            *p = u->next_hash;
            break;
        }
    }
    unlink_from_page(b, u, u->gpa[0]);
    if (u->gpa[1] && page_hash(u->gpa[1]) != page_hash(u->gpa[0]))
        unlink_from_page(b, u, u->gpa[1]);
    code_page_forget(b, u);
    u->dead = true;
    b->stats.invalidated++;
}

/* Does the unit hold guest bytes of [gpa, gpa+len)? */
static bool covers(const struct unit *u, gpa_t gpa, u64 len)
{
    u64 first = PAGE_SIZE - (u->gpa[0] & ~PAGE_MASK);
    if (!u->gpa[1])
        return gpa < u->gpa[0] + u->len && u->gpa[0] < gpa + len;
    return (gpa < u->gpa[0] + first && u->gpa[0] < gpa + len) || (gpa < u->gpa[1] + u->len - first && u->gpa[1] < gpa + len);
}

static bool on_page(const struct unit *u, gpa_t gpa)
{
    return (u->gpa[0] ^ gpa) < PAGE_SIZE || (u->gpa[1] && (u->gpa[1] ^ gpa) < PAGE_SIZE);
}

/* Kill the units that hold bytes of [gpa, gpa+len), a range within a page. A page that has none left is no code page any more. */
void cache_forget(struct bt *b, gpa_t gpa, u64 len)
{
    unsigned h = page_hash(gpa);
    bool others = false;
    for (struct unit *u = b->page_units[h], *next; u; u = next) {
        next = *next_on_page(u, h);
        if (covers(u, gpa, len))
            cache_kill(b, u);
        else
            others |= on_page(u, gpa);
    }
    if (!others)
        physmap_unmark(b->map, gpa, MARK_CODE);
}

/* Pages that held code get a second life as data: freed and given to somebody else. Their old units would trap every write until each
 * of them is hit. So after some writes the whole page is forgotten; each time with four times the patience, for pages that hold both. */
static bool has_become_data(struct bt *b, gpa_t gpa)
{
    gpa_t page = gpa & PAGE_MASK;
    unsigned h = page_hash(gpa) % ARRAY_LEN(b->code_writes);
    if (b->code_writes[h].page != page || !b->code_writes[h].patience) {
        b->code_writes[h].page = page;
        b->code_writes[h].writes = 0;
        b->code_writes[h].patience = CODE_PATIENCE;
    }
    if (++b->code_writes[h].writes < b->code_writes[h].patience)
        return false;
    b->code_writes[h].writes = 0;
    if (b->code_writes[h].patience < CODE_PATIENCE_MAX)
        b->code_writes[h].patience *= 4;
    return true;
}

void cache_written(struct bt *b, gpa_t gpa, u64 len)
{
    if (has_become_data(b, gpa))
        cache_forget(b, gpa & PAGE_MASK, PAGE_SIZE);
    else
        cache_forget(b, gpa, len);
}
