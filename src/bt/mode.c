/* SPDX-License-Identifier: MIT */
/*
 * The mode: what the processor's system state means for the translator. Can its code be translated, under which key, in which window
 * and view, and what do segment registers hold?
 *
 * A guest comes back to the same few modes all the time: its program, its kernel before and after the kernel has loaded its own
 * segments. So the last ones are remembered, with the state that they were made of. That is compared as a whole, since a
 * wrong guess here would run the wrong code; and it is void when any window has changed hands (space_epoch).
 */
#include <string.h>

#include "bt/internal.h"

/* --- what it means --- */

static bool translatable(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    if (c->mmu.stage2 && c->mmu.stage2->tables) /* a monitor's own shadow tables: they change without a trace */
        return false;
    bool aligned = s->rflags & FLAG_AC && s->cr0 & CR0_AM && state_cpl(s) == 3;
    return !state_long(s) && !c->debug && !(s->dr[7] & 0xff) && !aligned && c->mmu.map->a20_mask == ~(u64)0;
}

/* Reads and writes of such a segment need no check but the limit. */
static bool plain_data(const struct segment *s)
{
    return (s->attr & (SEG_P | SEG_CODE | SEG_RW | SEG_EXPAND_DOWN | SEG_UNUSABLE)) == (SEG_P | SEG_RW);
}

/* What flat segments reach. Those of a guest below a monitor are truncated, to keep it out of what lies above: if all end at the same
 * page, the window ends there, and no access needs a check. */
static u32 common_limit(const struct cpu_state *s)
{
    u32 limit = s->seg[SS].limit;
    bool all = s->seg[DS].limit == limit && s->seg[ES].limit == limit && s->seg[CS].limit == limit;
    bool flat = !s->seg[SS].base && !s->seg[DS].base && !s->seg[ES].base && !s->seg[CS].base;
    return all && flat && (limit & 0xfff) == 0xfff && limit > 0xfffff ? limit : 0xffffffff;
}

/* FS and GS have a base to be added anyway. */
static u32 segment_keys(const struct cpu_state *s, u32 limit)
{
    u32 key = 0;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++) {
        const struct segment *g = &s->seg[seg];
        bool whole = seg == FS || seg == GS ? g->limit == 0xffffffff : g->base == 0 && g->limit >= limit;
        if (plain_data(g) && whole && (limit == 0xffffffff || seg < FS))
            key |= KEY_SEG << seg;
    }
    return key;
}

/* Number of the code segment's base and limit; when there have been too many, all begins anew. */
static u32 code_segment(struct bt *b, const struct segment *cs)
{
    u32 base = cs->base, n = 0;
    while (n < b->ncode_segments && (b->code_segment[n].base != base || b->code_segment[n].limit != cs->limit))
        n++;
    if (n == KEY_CODE_SEGMENTS) {
        cache_flush(b);
        n = b->ncode_segments;
    }
    if (n == b->ncode_segments) {
        b->code_segment[n].base = base;
        b->code_segment[n].limit = cs->limit;
        b->ncode_segments++;
    }
    return n * KEY_CS;
}

#define WATCHED (BIT(ICEPT_RDTSC) | BIT(ICEPT_CR0_READ) | BIT(ICEPT_CR3_READ) | BIT(ICEPT_CR4_READ))

static u32 key_of(struct bt *b, const struct cpu *c, u32 limit)
{
    const struct cpu_state *s = &c->state;
    return state_cpl(s) | (s->rflags & FLAG_DF ? KEY_DF : 0) | (s->cr0 & (CR0_EM | CR0_TS) ? 0 : KEY_FPU) |
           (s->cr4 & CR4_OSFXSR ? KEY_SSE : 0) | (c->icept & WATCHED ? KEY_WATCHED : 0) | (s->seg[CS].attr & SEG_DB ? 0 : KEY_CODE16) |
           (s->seg[SS].attr & SEG_DB ? 0 : KEY_STACK16) | (state_real(s) || state_v86(s) ? KEY_REAL : 0) | segment_keys(s, limit) |
           code_segment(b, &s->seg[CS]);
}

/* --- remembered --- */

#define FLAGS_MATTER (FLAG_VM | FLAG_AC | FLAG_DF)

static void take_origin(struct mode_origin *o, const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    memset(o, 0, sizeof *o);
    memcpy(o->seg, s->seg, sizeof o->seg);
    o->gdtr = s->gdtr;
    o->cr0 = s->cr0;
    o->cr3 = s->cr3;
    o->cr4 = s->cr4;
    o->efer = s->efer;
    memcpy(o->pdpte, c->mmu.pdpte, sizeof o->pdpte);
    o->dr7 = s->dr[7];
    o->rflags = s->rflags & FLAGS_MATTER;
    o->icept = c->icept & WATCHED;
    o->stage2 = c->mmu.stage2;
    o->a20_mask = c->mmu.map->a20_mask;
    o->debugged = c->debug != NULL;
}

static bool same_origin(const struct mode_origin *o, const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    return o->cr3 == s->cr3 && o->cr0 == s->cr0 && o->cr4 == s->cr4 && o->efer == s->efer && o->rflags == (s->rflags & FLAGS_MATTER) &&
           o->gdtr.base == s->gdtr.base && o->gdtr.limit == s->gdtr.limit && o->dr7 == s->dr[7] && o->icept == (c->icept & WATCHED) &&
           o->stage2 == c->mmu.stage2 && o->a20_mask == c->mmu.map->a20_mask && o->debugged == (c->debug != NULL) &&
           !memcmp(o->seg, s->seg, sizeof o->seg) && !memcmp(o->pdpte, c->mmu.pdpte, sizeof o->pdpte);
}

static void make(struct bt_vcpu *t, struct mode *m)
{
    struct cpu *c = t->cpu;
    take_origin(&m->origin, c);
    m->window = NULL;
    m->view = NULL;
    m->translatable = translatable(c);
    if (m->translatable) {
        u32 limit = common_limit(&c->state);
        m->key = key_of(t->bt, c, limit);
        m->window = window_for(t->bt, c, limit);
    }
    if (m->window) {
        m->view = view_for(t->bt, m->window, m->key);
        segments_settle(&m->segments, &c->state, (u64)m->window->base);
    }
    m->epoch = t->bt->space_epoch;
}

struct mode *mode_settle(struct bt_vcpu *t)
{
    const struct cpu_state *s = &t->cpu->state;
    struct mode *m = &t->mode[(s->seg[CS].selector >> 3 ^ s->seg[FS].selector >> 2 ^ s->cr3 >> 12) % MODES];
    if (m->epoch != t->bt->space_epoch || !same_origin(&m->origin, t->cpu))
        make(t, m);
    if (m->view)
        m->window->last_used = m->view->last_used = ++t->bt->window_clock;
    return m;
}
