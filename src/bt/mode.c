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

/* Usable, base 0, all of 4 GiB, 32-bit where that matters. */
static bool flat(const struct segment *s)
{
    return s->base == 0 && s->limit == 0xffffffff && !(s->attr & SEG_UNUSABLE) && s->attr & SEG_P && (s->attr & (SEG_CODE | SEG_EXPAND_DOWN)) != SEG_EXPAND_DOWN;
}
static bool flat_data(const struct segment *s) { return flat(s) && (s->attr & (SEG_CODE | SEG_RW)) == SEG_RW; }

static bool translatable(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    if (c->mmu.stage2 && c->mmu.stage2->tables) /* a monitor's own shadow tables: they change without a trace */
        return false;
    if (!(s->cr0 & CR0_PE) || s->efer & EFER_LMA || s->rflags & FLAG_VM || c->debug)
        return false;
    if (s->dr[7] & 0xff || (s->rflags & FLAG_AC && s->cr0 & CR0_AM && state_cpl(s) == 3) || c->mmu.map->a20_mask != ~(u64)0)
        return false;
    return flat(&s->seg[CS]) && s->seg[CS].attr & SEG_DB && flat_data(&s->seg[SS]) && s->seg[SS].attr & SEG_DB && flat_data(&s->seg[DS]) && flat_data(&s->seg[ES]);
}

/* Reads and writes of such a segment need no check. */
static bool whole(const struct segment *s)
{
    return s->limit == 0xffffffff && (s->attr & (SEG_P | SEG_CODE | SEG_RW | SEG_EXPAND_DOWN | SEG_UNUSABLE)) == (SEG_P | SEG_RW);
}

#define WATCHED (BIT(ICEPT_RDTSC) | BIT(ICEPT_CR0_READ) | BIT(ICEPT_CR3_READ) | BIT(ICEPT_CR4_READ))

static u16 key_of(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    return state_cpl(s) | (s->rflags & FLAG_DF ? KEY_DF : 0) | (s->cr0 & (CR0_EM | CR0_TS) ? 0 : KEY_FPU) |
           (s->cr4 & CR4_OSFXSR ? KEY_SSE : 0) | (whole(&s->seg[FS]) ? KEY_FS : 0) | (whole(&s->seg[GS]) ? KEY_GS : 0) |
           (c->icept & WATCHED ? KEY_WATCHED : 0);
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
        m->key = key_of(c);
        m->window = window_for(t->bt, c);
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
