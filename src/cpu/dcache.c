/* SPDX-License-Identifier: MIT */
/*
 * The decode cache: blocks of decoded instructions, found by where their bytes are in host memory (which stands for
 * the physical address) and by mode. That the linear address still leads there is checked through the TLB at each entry.
 *
 * Pages with blocks carry MARK_DECODED: whoever writes there, the observer drops the blocks that the write overlaps. A
 * dropped block is only taken out and marked invalid; its storage stays until the next flush, so a running one may finish
 * its op and look. When the storage is used up, everything is flushed: simple, and rare.
 *
 * An instruction that spans pages, or cannot be cached for another reason, becomes a block of its own that is fetched and
 * compared at each use.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/interp.h"

enum { MAX_OPS = 1 << 17, MAX_BLOCKS = 1 << 15, NEAR = 1 << 12, BUCKETS = 1 << 13, PAGE_BUCKETS = 1 << 10, SINGLES = 64, WRITTEN = 1 << 8 };
enum { PATIENCE = 64, PATIENCE_MAX = 1 << 20 };     /* writes to a page with blocks before all of them are dropped */

struct code_page {
    const u8 *hva;
    struct block *block;
    struct code_page *bucket;
};

struct single {
    struct block block;
    struct op op[2];
    struct insn insn;
};

struct decode_cache {
    exec_fn *handler[MN_COUNT];
    bool harmless[MN_COUNT];
    struct cpu *cpu;
    struct phys_observer observer;
    struct op *op;          unsigned nops;      /* of MAX_OPS */
    struct insn *insn;                          /* in step with op */
    struct block *block;    unsigned nblocks;   /* of MAX_BLOCKS */
    struct code_page *page; unsigned npages;    /* at most one a block */
    struct block *near[NEAR];                   /* by linear address: the last one met there */
    struct block *bucket[BUCKETS];              /* by host address */
    struct code_page *page_bucket[PAGE_BUCKETS];
    struct single single[SINGLES];              /* by linear address */
    struct { gpa_t page; u32 writes, patience; } written[WRITTEN]; /* pages with blocks, by hash: how often they were written; patience 0: none */
};

/* --- handlers --- */

static void join_handlers(struct decode_cache *d, const struct handler *h, bool harmless)
{
    for (; h->exec; h++) {
        d->handler[h->mnemonic] = h->exec;
        d->harmless[h->mnemonic] = harmless;
    }
}

/* System instructions that leave mode, mappings and flow alone. What they may do to IF is looked at after each. */
static const u16 harmless_system[] = { MN_CLI, MN_STI, MN_PUSHF, MN_RDTSC, MN_CPUID, MN_PAUSE };

static void join_all_handlers(struct decode_cache *d)
{
    join_handlers(d, integer_handlers, true);
    join_handlers(d, string_handlers, true);
    join_handlers(d, fpu_handlers, true);
    join_handlers(d, system_handlers, false);
    for (unsigned i = 0; i < ARRAY_LEN(harmless_system); i++)
        d->harmless[harmless_system[i]] = true;
}

exec_fn *dcache_handler(const struct cpu *c, u16 mnemonic) { return c->dcache->handler[mnemonic]; }
bool dcache_harmless(const struct cpu *c, u16 mnemonic) { return c->dcache->harmless[mnemonic]; }

/* --- looking up --- */

static unsigned near_hash(gva_t gva) { return (gva ^ gva >> 12) % NEAR; }
static unsigned hva_hash(const u8 *hva) { return ((uintptr_t)hva ^ (uintptr_t)hva >> 13) % BUCKETS; }
static unsigned page_hash(const u8 *hva) { return ((uintptr_t)hva >> PAGE_SHIFT) % PAGE_BUCKETS; }
static const u8 *page_of(const u8 *hva) { return (const u8 *)((uintptr_t)hva & PAGE_MASK); }

static struct block *search(struct cpu *c, const u8 *hva)
{
    struct block *b = c->dcache->bucket[hva_hash(hva)];
    while (b && (b->hva != hva || b->mode != c->mode))
        b = b->bucket;
    return b;
}

/* Whole block within the code segment? Only asked for where CS is not flat. */
static bool within_code_segment(const struct cpu *c, const struct block *b)
{
    return c->mode & MODE_FLAT_CODE || mode_bits(c->mode) == 64 || c->state.rip + b->bytes - 1 <= c->state.seg[CS].limit;
}

struct block *dcache_find(struct cpu *c)
{
    gva_t gva = cpu_linear_rip(c);
    const struct tlb_entry *e = &c->tlb[(gva >> PAGE_SHIFT) % TLB_ENTRIES];
    const u8 *hva = (const u8 *)(gva + e->addend);
    if (e->tag[ACCESS_EXEC] != (gva & PAGE_MASK))
        return NULL;
    struct block **near = &c->dcache->near[near_hash(gva)], *b = *near;
    if (!b || b->hva != hva || b->mode != c->mode || !b->valid) {
        b = search(c, hva);
        if (!b)
            return NULL;
        *near = b;
    }
    return within_code_segment(c, b) ? b : NULL;
}

/* --- invalidation --- */

static struct code_page **page_slot(struct decode_cache *d, const u8 *hva)
{
    struct code_page **p = &d->page_bucket[page_hash(hva)];
    while (*p && (*p)->hva != hva)
        p = &(*p)->bucket;
    return p;
}

static void unlink_block(struct decode_cache *d, struct block *b)
{
    struct block **p = &d->bucket[hva_hash(b->hva)];
    while (*p != b)
        p = &(*p)->bucket;
    *p = b->bucket;
    b->valid = false;
}

static void on_written(void *opaque, gpa_t gpa, u64 len);

/* The page holds no decoded code of this processor any more. The mark is shared: let the other processors give theirs up. */
static void release_page(struct decode_cache *d, gpa_t page)
{
    struct physmap *map = d->cpu->mmu.map;
    physmap_unmark(map, page, MARK_DECODED); /* first: they will come here too */
    for (struct phys_observer *o = map->observers; o; o = o->next)
        if (o != &d->observer && o->written == on_written)
            o->written(o->opaque, page, PAGE_SIZE);
}

/* A page that was code can become data, whose every write would be caught as long as one old block is left. So from time to time a page is
 * dropped whole, and each time it gets more patience, as it may well hold both. */
static bool has_become_data(struct decode_cache *d, gpa_t gpa)
{
    gpa_t page = gpa & PAGE_MASK;
    unsigned h = (page >> PAGE_SHIFT) % WRITTEN; /* not by host address: what is caught is counted, and must repeat exactly */
    if (d->written[h].page != page || !d->written[h].patience) {
        d->written[h].page = page;
        d->written[h].writes = 0;
        d->written[h].patience = PATIENCE;
    }
    if (++d->written[h].writes < d->written[h].patience)
        return false;
    d->written[h].writes = 0;
    if (d->written[h].patience < PATIENCE_MAX)
        d->written[h].patience *= 4;
    return true;
}

static void drop_blocks(struct decode_cache *d, struct code_page *page, const u8 *from, u64 len)
{
    for (struct block **p = &page->block, *b; (b = *p);) {
        if (from < b->hva + b->bytes && b->hva < from + len) {
            *p = b->in_page;
            unlink_block(d, b);
        } else {
            p = &b->in_page;
        }
    }
}

static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    struct decode_cache *d = opaque;
    struct physmap *map = d->cpu->mmu.map;
    const u8 *from = physmap_ptr_ro(map, gpa, len);
    struct code_page **slot = page_slot(d, page_of(from));
    if (!*slot) { /* a flush took the blocks and left the mark */
        if (physmap_marks(map, gpa) & MARK_DECODED)
            release_page(d, gpa & PAGE_MASK);
        return;
    }
    if (has_become_data(d, gpa))
        drop_blocks(d, *slot, page_of(from), PAGE_SIZE);
    else
        drop_blocks(d, *slot, from, len);
    if (!(*slot)->block) {
        *slot = (*slot)->bucket;
        release_page(d, gpa & PAGE_MASK);
    }
}

static void flush(struct decode_cache *d)
{
    for (unsigned i = 0; i < d->nblocks; i++)
        d->block[i].valid = false;
    d->nops = d->nblocks = d->npages = 0;
    memset(d->near, 0, sizeof d->near);
    memset(d->bucket, 0, sizeof d->bucket);
    memset(d->page_bucket, 0, sizeof d->page_bucket);
    for (unsigned i = 0; i < SINGLES; i++)
        d->single[i].block.valid = false;
}

void dcache_flush(struct cpu *c) { flush(c->dcache); }

static void on_map_changed(void *opaque) { flush(opaque); }

/* --- building --- */

/* Everything of an op but its instruction's own function. */
static void place_op(struct cpu *c, struct block *b, struct op *o, const struct insn *i)
{
    o->offset = b->bytes;
    o->len = i->len;
    o->cycles = b->cycles;
    fast_specialise(c, o, i, b->mode);
    b->bytes += i->len;
    b->count++;
    if (!is_string(i->mnemonic))
        b->cycles += c->cost[i->row->cost];
}

static void place_end(struct block *b)
{
    b->op[b->count] = (struct op){ .run = fast_end, .offset = b->bytes, .cycles = b->cycles };
    b->valid = true;
}

/* Must the block end behind this instruction? */
static bool ends_block(const struct cpu *c, const struct insn *i)
{
    return i->row->class == CLASS_CONTROL || !dcache_harmless(c, i->mnemonic);
}

static void enlist(struct cpu *c, struct block *b, gpa_t gpa)
{
    struct decode_cache *d = c->dcache;
    struct block **bucket = &d->bucket[hva_hash(b->hva)];
    struct code_page **slot = page_slot(d, page_of(b->hva));
    b->bucket = *bucket;
    *bucket = b;
    if (!*slot) {
        *slot = &d->page[d->npages++];
        **slot = (struct code_page){ .hva = page_of(b->hva) };
    }
    b->in_page = (*slot)->block;
    (*slot)->block = b;
    physmap_mark(c->mmu.map, gpa, MARK_DECODED);
}

/* Decode from hva on, to the end of the page or of the segment. NULL if not even one instruction is there whole. */
static struct block *build(struct cpu *c, gva_t gva, gpa_t gpa, const u8 *hva)
{
    struct decode_cache *d = c->dcache;
    u64 avail = PAGE_SIZE - (gva & ~PAGE_MASK);
    if (d->nops + BLOCK_OPS + 1 > MAX_OPS || d->nblocks == MAX_BLOCKS)
        flush(d);
    if (mode_bits(c->mode) != 64 && c->state.seg[CS].limit - c->state.rip < avail - 1)
        avail = c->state.seg[CS].limit - c->state.rip + 1;
    struct block *b = &d->block[d->nblocks];
    *b = (struct block){ .hva = hva, .mode = c->mode, .op = d->op + d->nops, .insn = d->insn + d->nops };
    while (b->count < BLOCK_OPS) {
        struct insn *i = &b->insn[b->count];
        if (decode_insn(hva + b->bytes, avail - b->bytes, mode_bits(c->mode), i) != DECODE_OK || !fetch_lawful(c, i))
            break;
        place_op(c, b, &b->op[b->count], i);
        if (ends_block(c, i))
            break;
    }
    if (!b->count)
        return NULL;
    place_end(b);
    d->nops += b->count + 1;
    d->nblocks++;
    enlist(c, b, gpa);
    return b;
}

/* One instruction, fetched anew; decoded anew only if it is another one than last time. */
static struct block *single(struct cpu *c, gva_t gva)
{
    struct single *s = &c->dcache->single[gva % SINGLES];
    struct block *b = &s->block;
    struct insn i;
    fetch_insn(c, &i);
    if (b->valid && b->mode == c->mode && s->insn.len == i.len && !memcmp(s->insn.bytes, i.bytes, i.len))
        return b;
    s->insn = i;
    *b = (struct block){ .mode = c->mode, .op = s->op, .insn = &s->insn };
    place_op(c, b, b->op, &s->insn);
    place_end(b);
    return b;
}

struct block *dcache_block(struct cpu *c)
{
    struct block *b = dcache_find(c);
    if (likely(b != NULL))
        return b;
    gva_t gva = cpu_linear_rip(c);
    gpa_t gpa;
    u8 *hva;
    if (mode_bits(c->mode) == 64 ? !gva_canonical(gva) : c->state.rip > c->state.seg[CS].limit)
        raise_error(c, VEC_GP, 0);
    walk(c, gva, ACCESS_EXEC, cpl(c) == 3, &gpa, &hva);
    if (!hva) /* code in MMIO */
        return single(c, gva);
    b = search(c, hva);
    if (!b)
        b = build(c, gva, gpa, hva);
    return b && within_code_segment(c, b) ? b : single(c, gva);
}

/* --- life --- */

static bool allocate(struct decode_cache *d)
{
    d->op = calloc(MAX_OPS, sizeof *d->op);
    d->insn = calloc(MAX_OPS, sizeof *d->insn);
    d->block = calloc(MAX_BLOCKS, sizeof *d->block);
    d->page = calloc(MAX_BLOCKS, sizeof *d->page);
    return d->op && d->insn && d->block && d->page;
}

static void release(struct decode_cache *d)
{
    free(d->op);
    free(d->insn);
    free(d->block);
    free(d->page);
    free(d);
}

struct decode_cache *dcache_new(struct cpu *c)
{
    struct decode_cache *d = calloc(1, sizeof *d);
    if (!d || !allocate(d)) {
        if (d)
            release(d);
        return NULL;
    }
    d->cpu = c;
    join_all_handlers(d);
    d->observer = (struct phys_observer){ .marks = MARK_DECODED, .written = on_written, .map_changed = on_map_changed, .opaque = d };
    physmap_observe(c->mmu.map, &d->observer);
    return d;
}

void dcache_free(struct cpu *c)
{
    physmap_unobserve(c->mmu.map, &c->dcache->observer);
    release(c->dcache);
    c->dcache = NULL;
}
