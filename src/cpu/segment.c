/* SPDX-License-Identifier: MIT */
/* Loads of segment registers (SDM vol. 2, MOV, POP, LDS; vol. 3, 5.6). */
#include "cpu/descriptor.h"
#include "cpu/system.h"

static struct segment load_stack_segment(struct cpu *c, u16 selector)
{
    if (selector_null(selector) && state_code_bits(&c->state) == 64 && cpl(c) < 3 && selector_rpl(selector) == cpl(c))
        return segment_null_stack(selector, cpl(c)); /* 64-bit code needs no SS, but as a user program */
    if (selector_null(selector))
        raise_error(c, VEC_GP, 0);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    if (selector_rpl(selector) != cpl(c) || !desc_writable(raw) || desc_dpl(raw) != cpl(c))
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_SS, selector);
    return descriptor_load(c, selector, raw);
}

static struct segment load_data_segment(struct cpu *c, u16 selector)
{
    if (selector_null(selector))
        return segment_null(selector);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    unsigned dpl = desc_dpl(raw);
    bool private = !desc_conforming(raw); /* a conforming code segment is everybody's */
    if (!desc_readable(raw) || (private && (selector_rpl(selector) > dpl || cpl(c) > dpl)))
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    return descriptor_load(c, selector, raw);
}

void load_segment(struct cpu *c, unsigned seg, u16 selector)
{
    struct segment *s = &c->state.seg[seg];
    if (state_real(&c->state))
        *s = segment_real(s, selector);
    else if (state_v86(&c->state))
        *s = segment_v86(selector);
    else
        *s = seg == SS ? load_stack_segment(c, selector) : load_data_segment(c, selector);
}

/* --- instructions --- */

/* After a load of SS nothing comes between it and the next instruction, which loads ESP (SDM vol. 3, 6.8.3). */
static void shadow_after_ss(struct cpu *c, unsigned seg)
{
    if (seg == SS)
        c->state.movss_shadow = 1;
}

void exec_mov_sreg(struct cpu *c, const struct insn *i)
{
    if (i->op[0].kind == OPD_SREG) {
        unsigned seg = i->op[0].reg;
        if (seg == CS || seg >= SREG_COUNT)
            raise_fault(c, VEC_UD);
        load_segment(c, seg, opd_read(c, i, 1));
        shadow_after_ss(c, seg);
        return;
    }
    if (i->op[1].reg >= SREG_COUNT)
        raise_fault(c, VEC_UD);
    u16 selector = c->state.seg[i->op[1].reg].selector;
    if (i->op[0].kind == OPD_GPR)
        gpr_set(c, i->op[0].reg, i->opsize, selector);
    else
        seg_write(c, i->mem.seg, ea_offset(c, i), 2, selector);
}

void exec_push_sreg(struct cpu *c, const struct insn *i)
{
    push(c, i->opsize, c->state.seg[i->op[0].reg].selector);
}

/* ESP moves by the old stack's rules, and only if the load did not fault. */
void exec_pop_sreg(struct cpu *c, const struct insn *i)
{
    struct stack k = stack_current(c);
    k.sp += i->opsize;
    load_segment(c, i->op[0].reg, stack_peek(c, 0, i->opsize));
    stack_commit(c, &k);
    shadow_after_ss(c, i->op[0].reg);
}

void exec_lds(struct cpu *c, const struct insn *i)
{
    static const struct { u16 mnemonic; u8 seg; } target[] = { { MN_LDS, DS }, { MN_LES, ES }, { MN_LFS, FS }, { MN_LGS, GS }, { MN_LSS, SS } };
    u64 at = ea_offset(c, i);
    u64 offset = seg_read(c, i->mem.seg, at, i->opsize);
    u16 selector = seg_read(c, i->mem.seg, at + i->opsize, 2);
    for (unsigned n = 0; n < ARRAY_LEN(target); n++) {
        if (target[n].mnemonic == i->mnemonic)
            load_segment(c, target[n].seg, selector);
    }
    gpr_set(c, i->op[0].reg, i->opsize, offset);
}
