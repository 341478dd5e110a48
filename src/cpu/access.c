/* SPDX-License-Identifier: MIT */
/*
 * How instructions reach memory: segmentation (SDM vol. 3, 5.3 to 5.5), alignment check, breakpoints, then paging.
 *
 * A write that spans two pages translates both before it stores to either, so that a fault leaves memory as it was.
 */
#include <string.h>

#include "cpu/internal.h"

static u64 load_host(const u8 *p, unsigned size)
{
    u64 value = 0;
    switch (size) {
    case 1: return *p;
    case 2: memcpy(&value, p, 2); return value;
    case 4: memcpy(&value, p, 4); return value;
    default: memcpy(&value, p, 8); return value;
    }
}

static void store_host(u8 *p, unsigned size, u64 value)
{
    switch (size) {
    case 1: *p = value; break;
    case 2: memcpy(p, &value, 2); break;
    case 4: memcpy(p, &value, 4); break;
    default: memcpy(p, &value, 8); break;
    }
}

/* --- segmentation --- */

static _Noreturn void segment_fault(struct cpu *c, unsigned seg)
{
    raise_error(c, seg == SS ? VEC_SS : VEC_GP, 0);
}

/* Do [offset, offset+size) lie within the segment? SDM vol. 3, 5.3. */
static bool within_limit(const struct segment *s, u64 offset, u64 size)
{
    u64 last = offset + size - 1;
    if ((s->attr & (SEG_S | SEG_CODE | SEG_EXPAND_DOWN)) == (SEG_S | SEG_EXPAND_DOWN))
        return offset > s->limit && last <= (s->attr & SEG_DB ? 0xffffffff : 0xffff);
    return last <= s->limit || s->limit == 0xffffffff; /* 4 GiB: addresses wrap, as the SDM leaves open */
}

/* SDM vol. 3, 5.4.1: data segments can always be read, code segments never written. */
static bool type_allows(const struct segment *s, bool write)
{
    bool code = s->attr & SEG_CODE, rw = s->attr & SEG_RW;
    return write ? !code && rw : !code || rw;
}

/* No limits, no types; but the address must be canonical (SDM vol. 3, 5.3.1). */
static gva_t linear_64(struct cpu *c, unsigned seg, u64 offset, u64 size)
{
    gva_t a = offset + (seg == FS || seg == GS ? c->state.seg[seg].base : 0);
    if (unlikely(!gva_canonical(a) || !gva_canonical(a + size - 1)))
        segment_fault(c, seg);
    return a;
}

static gva_t linear(struct cpu *c, unsigned seg, u64 offset, u64 size, bool write)
{
    const struct segment *s = &c->state.seg[seg];
    if (unlikely(state_code_bits(&c->state) == 64))
        return linear_64(c, seg, offset, size);
    if (unlikely(!within_limit(s, offset, size)))
        segment_fault(c, seg);
    bool typed = c->state.cr0 & CR0_PE && !(c->state.rflags & FLAG_VM);
    if (typed && unlikely(s->attr & SEG_UNUSABLE || !type_allows(s, write)))
        segment_fault(c, seg);
    return (u32)(s->base + offset);
}

gva_t seg_linear(struct cpu *c, unsigned seg, u64 offset, unsigned size, bool write)
{
    return linear(c, seg, offset, size, write);
}

/* SDM vol. 3, 6.15, interrupt 17 */
static void check_alignment(struct cpu *c, gva_t gva, unsigned size)
{
    if (unlikely(gva & (size - 1)) && unlikely(c->state.cr0 & CR0_AM) && c->state.rflags & FLAG_AC && cpl(c) == 3)
        raise_error(c, VEC_AC, 0);
}

/* --- data breakpoints (SDM vol. 3, 17.2.4) and the debugger's watchpoints --- */

static bool overlap(gva_t a, u64 alen, gva_t b, u64 blen)
{
    return a - b < blen || b - a < alen;
}

static void note_breakpoints(struct cpu *c, gva_t gva, u64 len, bool write)
{
    static const u8 length[4] = { 1, 2, 8, 4 };
    u64 dr7 = c->state.dr[7];
    for (unsigned i = 0; i < 4; i++) {
        unsigned type = dr7 >> (16 + 4 * i) & 3, n = length[dr7 >> (18 + 4 * i) & 3];
        bool enabled = dr7 >> 2 * i & 3;
        if (enabled && (type == 3 || (type == 1 && write)) && overlap(gva, len, c->state.dr[i] & -(u64)n, n))
            c->pending_dr6 |= BIT(i);
    }
}

static void note_watchpoints(struct cpu *c, gva_t gva, u64 len, bool write)
{
    for (unsigned i = 0; c->debug && i < c->debug->nwatch; i++) {
        bool wanted = write ? c->debug->watch[i].access != ACCESS_READ : c->debug->watch[i].access != ACCESS_WRITE;
        if (wanted && overlap(gva, len, c->debug->watch[i].gva, c->debug->watch[i].len)) {
            c->watch_hit = true;
            c->debug->hit = gva;
            c->debug->hit_watch = i;
        }
    }
}

static void note_access(struct cpu *c, gva_t gva, u64 len, bool write)
{
    if (likely(!c->no_fast_memory))
        return;
    note_breakpoints(c, gva, len, write);
    note_watchpoints(c, gva, len, write);
}

/* --- paging --- */

/* Where one access goes: host memory, or the physical map (MMIO, ROM, watched pages). */
struct place { gpa_t gpa; u8 *hva; };

void walk(struct cpu *c, gva_t gva, enum mmu_access a, bool user, gpa_t *gpa, u8 **hva)
{
    struct mmu_fault f;
    u64 refs = c->mmu.walk_refs, hits = c->mmu.caches.hit_cycles;
    bool held = mmu_holds(&c->mmu, gva, user);
    c->mmu.caches.walking = c->timing_model && !held;
    int failed = mmu_translate(&c->mmu, gva, a, user, gpa, hva, &f);
    c->mmu.misses += !held;
    if (c->mmu.caches.walking)
        ledger_guest(c->ledger, 0, (c->mmu.walk_refs - refs) * c->cost_tlb_ref + c->mmu.caches.hit_cycles - hits);
    c->mmu.caches.walking = false;
    if (failed)
        raise_mmu(c, &f);
}

static void translate(struct cpu *c, gva_t gva, enum mmu_access a, bool user, struct place *p)
{
    walk(c, gva, a, user, &p->gpa, &p->hva);
}

static void charge_mmio(struct cpu *c, gpa_t gpa)
{
    const struct region *r = physmap_find(c->mmu.map, gpa);
    if (!r || r->kind != REGION_MMIO)
        return;
    bool own = c->cost_mmio && !((gpa ^ c->state.apic_base) & PAGE_MASK);     /* the local APIC's, where no monitor has it */
    ledger_guest(c->ledger, 0, own ? c->cost_apic : r->direct ? c->cost_direct : c->cost_mmio);
}

static u64 load_place(struct cpu *c, const struct place *p, unsigned size)
{
    if (p->hva)
        return load_host(p->hva, size);
    charge_mmio(c, p->gpa);
    return physmap_load(c->mmu.map, p->gpa, size);
}

static void store_place(struct cpu *c, const struct place *p, unsigned size, u64 value)
{
    if (p->hva) {
        store_host(p->hva, size, value);
    } else {
        charge_mmio(c, p->gpa);
        physmap_store(c->mmu.map, p->gpa, size, value);
    }
}

/* Bytes of [gva, gva+size) that lie in the first page. */
static unsigned in_first_page(gva_t gva, unsigned size)
{
    u64 room = PAGE_SIZE - (gva & ~PAGE_MASK);
    return size < room ? size : room;
}

/* n bytes further. Linear addresses wrap at 4 GiB outside 64-bit mode; what lies above is a system structure of IA-32e mode. */
static gva_t further(const struct cpu *c, gva_t gva, unsigned n)
{
    return state_code_bits(&c->state) == 64 || gva >> 32 ? gva + n : (u32)(gva + n);
}

static u64 read_split(struct cpu *c, gva_t gva, unsigned size, unsigned first, bool user)
{
    struct place p[2];
    u64 value = 0;
    translate(c, gva, ACCESS_READ, user, &p[0]);
    translate(c, further(c, gva, first), ACCESS_READ, user, &p[1]);
    for (unsigned i = 0; i < size; i++) {
        struct place *at = &p[i >= first];
        value |= load_place(c, at, 1) << 8 * i;
        *at = (struct place){ at->gpa + 1, at->hva ? at->hva + 1 : NULL };
    }
    return value;
}

static u64 read_slow(struct cpu *c, gva_t gva, unsigned size, bool user)
{
    struct place p;
    unsigned first = in_first_page(gva, size);
    if (first < size)
        return read_split(c, gva, size, first, user);
    translate(c, gva, ACCESS_READ, user, &p);
    return load_place(c, &p, size);
}

static void write_split(struct cpu *c, gva_t gva, unsigned size, unsigned first, u64 value, bool user)
{
    struct place p[2];
    translate(c, gva, ACCESS_WRITE, user, &p[0]);
    translate(c, further(c, gva, first), ACCESS_WRITE, user, &p[1]);
    for (unsigned i = 0; i < size; i++) {
        struct place *at = &p[i >= first];
        store_place(c, at, 1, value >> 8 * i & 0xff);
        *at = (struct place){ at->gpa + 1, at->hva ? at->hva + 1 : NULL };
    }
}

static void write_slow(struct cpu *c, gva_t gva, unsigned size, u64 value, bool user)
{
    struct place p;
    unsigned first = in_first_page(gva, size);
    if (first < size) {
        write_split(c, gva, size, first, value, user);
    } else {
        translate(c, gva, ACCESS_WRITE, user, &p);
        store_place(c, &p, size, value);
    }
}

static u64 read_as(struct cpu *c, gva_t gva, unsigned size, bool user)
{
    const u8 *p = mmu_fast(&c->mmu, gva, size, ACCESS_READ, user);
    return likely(p != NULL) ? load_host(p, size) : read_slow(c, gva, size, user);
}

static void write_as(struct cpu *c, gva_t gva, unsigned size, u64 value, bool user)
{
    u8 *p = mmu_fast(&c->mmu, gva, size, ACCESS_WRITE, user);
    if (likely(p != NULL))
        store_host(p, size, value);
    else
        write_slow(c, gva, size, value, user);
}

u64 lin_read(struct cpu *c, gva_t gva, unsigned size)
{
    u64 value = read_as(c, gva, size, cpl(c) == 3);
    note_access(c, gva, size, false);
    return value;
}

void lin_write(struct cpu *c, gva_t gva, unsigned size, u64 value)
{
    write_as(c, gva, size, value, cpl(c) == 3);
    note_access(c, gva, size, true);
}

u64 lin_read_system(struct cpu *c, gva_t gva, unsigned size) { return read_as(c, gva, size, false); }
void lin_write_system(struct cpu *c, gva_t gva, unsigned size, u64 value) { write_as(c, gva, size, value, false); }

void lin_probe_write(struct cpu *c, gva_t gva, unsigned len, bool user)
{
    for (unsigned n; len; gva = further(c, gva, n), len -= n) {
        struct place p;
        n = in_first_page(gva, len);
        if (!mmu_fast(&c->mmu, gva, n, ACCESS_WRITE, user))
            translate(c, gva, ACCESS_WRITE, user, &p);
    }
}

u64 seg_read(struct cpu *c, unsigned seg, u64 offset, unsigned size)
{
    gva_t gva = linear(c, seg, offset, size, false);
    check_alignment(c, gva, size);
    return lin_read(c, gva, size);
}

void seg_write(struct cpu *c, unsigned seg, u64 offset, unsigned size, u64 value)
{
    gva_t gva = linear(c, seg, offset, size, true);
    check_alignment(c, gva, size);
    lin_write(c, gva, size, value);
}

/* The largest of 8, 4, 2, 1 that fits in n bytes. */
static unsigned piece(unsigned n) { return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1; }

void seg_read_bytes(struct cpu *c, unsigned seg, u64 offset, void *buf, unsigned len)
{
    gva_t gva = linear(c, seg, offset, len, false);
    for (unsigned n; len; gva = further(c, gva, n), buf = (u8 *)buf + n, len -= n) {
        n = piece(len);
        store_host(buf, n, lin_read(c, gva, n));
    }
}

void seg_write_bytes(struct cpu *c, unsigned seg, u64 offset, const void *buf, unsigned len)
{
    gva_t gva = linear(c, seg, offset, len, true);
    lin_probe_write(c, gva, len, cpl(c) == 3);
    for (unsigned n; len; gva = further(c, gva, n), buf = (const u8 *)buf + n, len -= n) {
        n = piece(len);
        lin_write(c, gva, n, load_host(buf, n));
    }
}
