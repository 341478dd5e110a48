/* SPDX-License-Identifier: MIT */
/* The stack, and near control flow. */
#include "cpu/integer.h"

/* --- stack --- */

void exec_push(struct cpu *c, const struct insn *i) { push(c, i->opsize, opd_read(c, i, 0)); }

/* The destination's address is computed with the stack pointer already moved (SDM vol. 2, "POP"). */
void exec_pop(struct cpu *c, const struct insn *i)
{
    u64 before = c->state.gpr[RSP], value = pop(c, i->opsize), after = c->state.gpr[RSP];
    if (i->op[0].kind == OPD_MEM) {
        u64 at = ea_offset(c, i);
        c->state.gpr[RSP] = before;
        seg_write(c, i->mem.seg, at, i->op[0].size, value);
        c->state.gpr[RSP] = after;
    } else {
        opd_write(c, i, 0, value);
    }
}

/* All or nothing: the whole frame is checked before its first word is written. */
void exec_pusha(struct cpu *c, const struct insn *i)
{
    unsigned size = i->opsize, width = stack_size(c);
    u64 mask = size_mask(width), sp = c->state.gpr[RSP], bottom = (sp - 8 * size) & mask;
    lin_probe_write(c, seg_linear(c, SS, bottom, 8 * size, true), 8 * size, cpl(c) == 3);
    for (unsigned r = 0; r < 8; r++)
        seg_write(c, SS, (sp - (r + 1) * size) & mask, size, gpr_get(c, r, size));
    gpr_set(c, RSP, width, bottom);
}

void exec_popa(struct cpu *c, const struct insn *i)
{
    unsigned size = i->opsize, width = stack_size(c);
    u64 mask = size_mask(width), sp = c->state.gpr[RSP], value[8];
    for (unsigned n = 0; n < 8; n++)
        value[n] = seg_read(c, SS, (sp + n * size) & mask, size);
    for (unsigned n = 0; n < 8; n++)
        if (7 - n != RSP)
            gpr_set(c, 7 - n, size, value[n]);
    gpr_set(c, RSP, width, sp + 8 * size);
}

/* SDM vol. 2, "ENTER": the frame pointers of the enclosing levels are copied from frame to frame. */
static void copy_display(struct cpu *c, const struct insn *i, unsigned level, u64 frame)
{
    unsigned size = i->opsize, width = stack_size(c);
    for (unsigned n = 1; n < level; n++)
        push(c, size, seg_read(c, SS, (c->state.gpr[RBP] - n * size) & size_mask(width), size));
    push(c, size, frame);
}

void exec_enter(struct cpu *c, const struct insn *i)
{
    unsigned size = i->opsize, width = stack_size(c), level = i->imm2 & 31;
    u64 rbp = c->state.gpr[RBP], rsp = c->state.gpr[RSP], frame = (rsp - size) & size_mask(width);
    u64 bottom = (frame - (u64)level * size - (u16)i->imm) & size_mask(width);
    lin_probe_write(c, seg_linear(c, SS, (frame - (u64)level * size) & size_mask(width), size, true), size, cpl(c) == 3);
    lin_probe_write(c, seg_linear(c, SS, bottom, size, true), size, cpl(c) == 3);
    for (unsigned n = 1; n < level; n++)
        seg_read(c, SS, (rbp - n * size) & size_mask(width), size);
    push(c, size, gpr_get(c, RBP, size));
    if (level)
        copy_display(c, i, level, frame);
    gpr_set(c, RBP, size, frame);
    gpr_set(c, RSP, width, bottom);
}

void exec_leave(struct cpu *c, const struct insn *i)
{
    unsigned width = stack_size(c);
    u64 sp = gpr_get(c, RBP, width);
    u64 value = seg_read(c, SS, sp, i->opsize);
    gpr_set(c, RSP, width, sp + i->opsize);
    gpr_set(c, RBP, i->opsize, value);
}

/* --- control flow --- */

/* A near target is truncated to the operand size, then checked against CS. */
static u64 near_target(struct cpu *c, const struct insn *i, u64 target)
{
    target &= size_mask(i->opsize);
    check_jump_target(c, target);
    return target;
}

static u64 branch_target(struct cpu *c, const struct insn *i)
{
    return near_target(c, i, i->op[0].kind == OPD_REL ? c->state.rip + i->imm : opd_read(c, i, 0));
}

void exec_jmp(struct cpu *c, const struct insn *i) { c->state.rip = branch_target(c, i); }

void exec_call(struct cpu *c, const struct insn *i)
{
    u64 target = branch_target(c, i);
    push(c, i->opsize, c->state.rip);
    c->state.rip = target;
}

void exec_ret(struct cpu *c, const struct insn *i)
{
    unsigned width = stack_size(c);
    u64 sp = gpr_get(c, RSP, width), drop = i->op[0].kind == OPD_IMM ? (u16)i->imm : 0;
    c->state.rip = near_target(c, i, seg_read(c, SS, sp, i->opsize));
    gpr_set(c, RSP, width, sp + i->opsize + drop);
}

void exec_jcc(struct cpu *c, const struct insn *i)
{
    if (condition(c->state.rflags, i->mnemonic - MN_JO))
        c->state.rip = branch_target(c, i);
}

/* LOOP and its kin count in CX, ECX or RCX by address size. */
static void loop_if(struct cpu *c, const struct insn *i, bool also)
{
    u64 count = (gpr_get(c, RCX, i->adsize) - 1) & size_mask(i->adsize);
    if (count && also)
        c->state.rip = branch_target(c, i);
    gpr_set(c, RCX, i->adsize, count);
}

void exec_loop(struct cpu *c, const struct insn *i) { loop_if(c, i, true); }
void exec_loope(struct cpu *c, const struct insn *i) { loop_if(c, i, c->state.rflags & FLAG_ZF); }
void exec_loopne(struct cpu *c, const struct insn *i) { loop_if(c, i, !(c->state.rflags & FLAG_ZF)); }

void exec_jcxz(struct cpu *c, const struct insn *i)
{
    if (!gpr_get(c, RCX, i->adsize))
        c->state.rip = branch_target(c, i);
}
