/* SPDX-License-Identifier: MIT */
/* Stacks that are built on the side, and the stacks that a TSS holds for inner privilege levels (SDM vol. 3, 5.8.5, 6.12.1). */
#include "cpu/descriptor.h"

static u64 sp_mask(const struct stack *k)
{
    return k->wide ? ~(u64)0 : k->ss.attr & SEG_DB ? 0xffffffff : 0xffff;
}

struct stack stack_current(const struct cpu *c)
{
    bool wide = state_code_bits(&c->state) == 64;
    return (struct stack){ .ss = c->state.seg[SS], .sp = c->state.gpr[RSP], .wide = wide, .user = cpl(c) == 3 };
}

/* SS:ESP for `level` as the TSS has it: raises #TS if they are beyond its limit. */
static void read_inner(struct cpu *c, unsigned level, u16 *ss, u32 *esp)
{
    const struct segment *tr = &c->state.tr;
    bool wide = tr->attr & SYS_32BIT;
    u32 at = wide ? level * 8 + 4 : level * 4 + 2, size = wide ? 4 : 2;
    if (at + size + 1 > tr->limit)
        raise_selector(c, VEC_TS, tr->selector);
    *esp = lin_read_system(c, (u32)(tr->base + at), size);
    *ss = lin_read_system(c, (u32)(tr->base + at + size), 2);
}

struct stack stack_inner(struct cpu *c, unsigned level)
{
    u16 selector;
    u32 esp;
    read_inner(c, level, &selector, &esp);
    if (selector_null(selector))
        raise_error(c, VEC_TS, error_ext(c));
    u64 raw = descriptor_fetch(c, selector, VEC_TS);
    if (selector_rpl(selector) != level || desc_dpl(raw) != level || !desc_writable(raw))
        raise_selector(c, VEC_TS, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_SS, selector);
    struct stack k = { .ss = descriptor_load(c, selector, raw), .sp = esp, .user = level == 3, .error = selector };
    return k;
}

/* The 64-bit TSS: RSP0 to RSP2 from byte 4 on, IST1 to IST7 from byte 36 on (SDM vol. 3, figure 7-11). */
struct stack stack_inner_long(struct cpu *c, unsigned level, unsigned ist)
{
    const struct segment *tr = &c->state.tr;
    unsigned at = ist ? 28 + ist * 8 : 4 + level * 8;
    if (at + 7 > tr->limit)
        raise_selector(c, VEC_TS, tr->selector);
    struct stack k = { .ss = c->state.seg[SS], .sp = lin_read_system(c, tr->base + at, 8), .wide = true, .user = level == 3 };
    if (level != cpl(c))
        k.ss = segment_null_stack(level, level);
    return k;
}

/* Where [sp, sp+len) of the stack is; raises #SS if it is not there. */
static gva_t stack_linear(struct cpu *c, const struct stack *k, u64 sp, unsigned len)
{
    bool there = k->wide ? gva_canonical(sp) && gva_canonical(sp + len - 1) : segment_covers(&k->ss, sp, len);
    if (!there)
        raise_selector(c, VEC_SS, k->error);
    return k->wide ? sp : (u32)(k->ss.base + sp);
}

void stack_require(struct cpu *c, const struct stack *k, unsigned bytes)
{
    stack_linear(c, k, (k->sp - bytes) & sp_mask(k), bytes);
}

void stack_push(struct cpu *c, struct stack *k, unsigned size, u64 value)
{
    u64 mask = sp_mask(k), sp = (k->sp - size) & mask;
    gva_t gva = stack_linear(c, k, sp, size);
    if (k->user)
        lin_write(c, gva, size, value);
    else
        lin_write_system(c, gva, size, value);
    k->sp = (k->sp & ~mask) | sp;
}

void stack_commit(struct cpu *c, const struct stack *k)
{
    u64 mask = sp_mask(k), kept = mask == 0xffff ? c->state.gpr[RSP] & ~mask : 0;
    c->state.gpr[RSP] = kept | (k->sp & mask);
}

void stack_switch(struct cpu *c, const struct stack *k)
{
    c->state.seg[SS] = k->ss;
    c->state.gpr[RSP] = k->wide ? k->sp : (u32)k->sp;
}

u64 stack_peek(struct cpu *c, unsigned offset, unsigned size)
{
    struct stack k = stack_current(c);
    return seg_read(c, SS, (k.sp + offset) & sp_mask(&k), size);
}

void stack_drop(struct cpu *c, unsigned bytes)
{
    struct stack k = stack_current(c);
    k.sp += bytes;
    stack_commit(c, &k);
}
