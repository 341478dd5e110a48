/* SPDX-License-Identifier: MIT */
/* The mode that decoded code depends on (interp.h), recomputed after whatever may have changed it. */
#include "cpu/interp.h"

static bool has_data_breakpoint(const struct cpu *c)
{
    for (unsigned i = 0; i < 4; i++)
        if (c->state.dr[7] >> 2 * i & 3 && c->state.dr[7] >> (16 + 4 * i) & 1)
            return true;
    return c->debug && c->debug->nwatch;
}

static bool alignment_checked(const struct cpu *c)
{
    return c->state.cr0 & CR0_AM && c->state.rflags & FLAG_AC && cpl(c) == 3;
}

/* Can every offset of this segment be read and written? */
static bool is_flat(const struct cpu *c, unsigned seg)
{
    const struct segment *s = &c->state.seg[seg];
    bool typed = c->state.cr0 & CR0_PE && !(c->state.rflags & FLAG_VM);
    bool plain_data = !(s->attr & (SEG_UNUSABLE | SEG_CODE | SEG_EXPAND_DOWN)) && s->attr & SEG_RW;
    return s->limit == 0xffffffff && (!typed || plain_data);
}

void interp_code_changed(struct cpu *c)
{
    unsigned bits = state_code_bits(&c->state);
    u32 mode = bits == 64 ? 2 : bits == 32;
    c->no_fast_memory = has_data_breakpoint(c) || alignment_checked(c);
    for (unsigned seg = 0; seg < SREG_COUNT && !c->no_fast_memory; seg++)
        mode |= (bits == 64 || is_flat(c, seg)) << (MODE_FLAT_SHIFT + seg);
    if (bits != 64 && c->state.seg[CS].limit == 0xffffffff)
        mode |= MODE_FLAT_CODE;
    if (bits != 64 && c->state.seg[SS].attr & SEG_DB)
        mode |= MODE_STACK32;
    c->mode = mode;
    c->tlb = c->mmu.tlb[cpl(c) == 3];
}
