/* SPDX-License-Identifier: MIT */
/*
 * Segment registers in kernel code. A kernel saves, loads and restores them at each entry and exit, and most of the loads
 * bring what is there already. So reads come from the context, and a load compares in the cache: if the selector is the one
 * that is loaded, and its descriptor in memory still says what was loaded from it, nothing is to be done. Everything else
 * is the monitor's.
 *
 * That is sound at CPL 0 alone: what could be loaded before, under whatever privilege, may be loaded there.
 */
#include "bt/maker.h"

/* --- what the comparison needs, one for each mode --- */

/* The descriptor from which that segment was loaded: the reverse of segment_from_descriptor(). */
static u64 descriptor_of(const struct segment *s)
{
    u64 limit = s->attr & SEG_G ? s->limit >> 12 : s->limit;
    return (limit & 0xffff) | (limit & 0xf0000) << 32 | (s->base & 0xffffff) << 16 | (s->base & 0xff000000) << 32 | (u64)(s->attr & 0xf0ff) << 40;
}

/* A load of the selector that is there needs no look at memory (null), or one at a descriptor, or is never found to be the same. */
static void settle(struct segments *x, const struct cpu_state *s, unsigned seg, u64 window)
{
    static const u64 zero;
    const struct segment *g = &s->seg[seg];
    bool null = !(g->selector & ~3), in_gdt = !(g->selector & 4) && (g->selector | 7) <= s->gdtr.limit && !(g->attr & SEG_UNUSABLE);
    bool data = !(g->attr & (SEG_UNUSABLE | SEG_CODE | SEG_EXPAND_DOWN)) && g->attr & SEG_P, code = g->attr & SEG_CODE && g->attr & SEG_RW && g->attr & SEG_P;
    x->base[seg] = g->base;
    x->room[0][seg] = data || code ? (s64)g->limit + 1 : 0;
    x->room[1][seg] = data && g->attr & SEG_RW ? (s64)g->limit + 1 : 0;
    x->selector[seg] = g->selector;
    x->descriptor[seg] = null || !in_gdt ? (u64)&zero : window + (u32)(s->gdtr.base + (g->selector & ~7));
    x->loaded[seg] = null ? 0 : in_gdt ? descriptor_of(g) : 1;
}

void segments_settle(struct segments *x, const struct cpu_state *s, u64 window)
{
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        settle(x, s, seg, window);
}

/* --- reads --- */

static void read_selector(struct emitter *e, unsigned seg)
{
    load_ctx(e, R13, CTX(segments));
    EMIT(e, 0x45, 0x0f, 0xb7, 0x85);                    /* movzx r8d, word [r13 + selector] */
    emit32(e, SEGMENTS(selector) + 2 * seg);
}

/* PUSH sreg, MOV r/m, sreg */
void body_read_sreg(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    bool push = i->mnemonic == MN_PUSH_SREG;
    read_selector(e, i->op[!push].reg);
    if (push)
        push_r8(m, 4);
    else if (i->op[0].kind == OPD_MEM)
        store_r8(m, i, 2);
    else
        move_r8(m, i->op[0].reg, i->opsize);
    count_in_cache(m, IN_CACHE_SREG);
}

/* --- loads --- */

/* The arithmetic flags into AX and back. */
static void save_flags(struct emitter *e)
{
    store_ctx(e, RAX, CTX(scratch));
    EMIT(e, 0x9f, 0x0f, 0x90, 0xc0);                    /* lahf; seto al */
}
static void restore_flags(struct emitter *e)
{
    EMIT(e, 0x04, 0x7f, 0x9e);                          /* add al, 7Fh; sahf */
    load_ctx(e, RAX, CTX(scratch));
}

/* jne, over a displacement that land() fills in */
static u8 *jump_if_not_equal(struct emitter *e)
{
    EMIT(e, 0x75, 0);
    return e->p;
}
static void land(struct emitter *e, u8 *from) { from[-1] = e->p - from; }

/* MOV sreg, r/m; POP sreg. The way to the monitor takes back what the unit has charged for it. */
void body_load_sreg(struct maker *m, const struct insn *i, u32 next, u32 cycles)
{
    struct emitter *e = &m->e;
    bool pop = i->mnemonic == MN_POP_SREG;
    unsigned seg = i->op[0].reg;
    if (pop)
        EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);    /* mov r8d, gs:[esp] */
    else
        load_r8(m, i, 1, 2);
    load_ctx(e, R13, CTX(segments));
    EMIT(e, 0x4d, 0x8b, 0x8d);                          /* mov r9, [r13 + descriptor] */
    emit32(e, SEGMENTS(descriptor) + 8 * seg);
    EMIT(e, 0x4d, 0x8b, 0x09);                          /* mov r9, [r9]: may be a hidden fault */
    save_flags(e);
    EMIT(e, 0x66, 0x45, 0x3b, 0x85);                    /* cmp r8w, [r13 + selector] */
    emit32(e, SEGMENTS(selector) + 2 * seg);
    u8 *other = jump_if_not_equal(e);
    EMIT(e, 0x4d, 0x3b, 0x8d);                          /* cmp r9, [r13 + loaded] */
    emit32(e, SEGMENTS(loaded) + 8 * seg);
    u8 *changed = jump_if_not_equal(e);
    restore_flags(e);
    if (pop)
        esp_plus(e, 4);
    count_in_cache(m, IN_CACHE_SREG);
    exit_to(m, 0, next);
    land(e, other);
    land(e, changed);
    restore_flags(e);
    uncharge(m, cycles, 1);
    leave_for_callout(m);
}
