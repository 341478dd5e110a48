/* SPDX-License-Identifier: MIT */
/* Operands of an instruction by kind: registers, effective addresses (SDM vol. 1, 3.7), immediates; and the stack. */
#include "cpu/internal.h"

#include "cpu/aluflags.h"

u64 gpr_get(const struct cpu *c, unsigned reg, unsigned size) { return c->state.gpr[reg] & size_mask(size); }

void gpr_set(struct cpu *c, unsigned reg, unsigned size, u64 value)
{
    u64 *r = &c->state.gpr[reg];
    *r = size >= 4 ? value & size_mask(size) : (*r & ~size_mask(size)) | (value & size_mask(size));
}

u64 ea_offset(const struct cpu *c, const struct insn *i)
{
    u64 ea = i->mem.disp;
    if (i->mem.base >= 0)
        ea += c->state.gpr[i->mem.base];
    else if (i->mem.base == -2)
        ea += c->state.rip;
    if (i->mem.index >= 0)
        ea += c->state.gpr[i->mem.index] * i->mem.scale;
    return ea & size_mask(i->adsize);
}

static u64 read_register(const struct cpu *c, const struct operand *o)
{
    return o->high8 ? c->state.gpr[o->reg] >> 8 & 0xff : gpr_get(c, o->reg, o->size);
}

static void write_register(struct cpu *c, const struct operand *o, u64 value)
{
    if (o->high8)
        c->state.gpr[o->reg] = (c->state.gpr[o->reg] & ~(u64)0xff00) | (value & 0xff) << 8;
    else
        gpr_set(c, o->reg, o->size, value);
}

u64 opd_read(struct cpu *c, const struct insn *i, unsigned n)
{
    const struct operand *o = &i->op[n];
    switch (o->kind) {
    case OPD_GPR: return read_register(c, o);
    case OPD_MEM: return seg_read(c, i->mem.seg, ea_offset(c, i), o->size);
    case OPD_SREG: return c->state.seg[o->reg].selector;
    default: return i->imm & size_mask(o->size);
    }
}

u64 opd_modify(struct cpu *c, const struct insn *i, unsigned n)
{
    const struct operand *o = &i->op[n];
    if (o->kind != OPD_MEM)
        return opd_read(c, i, n);
    lin_probe_write(c, seg_linear(c, i->mem.seg, ea_offset(c, i), o->size, true), o->size, cpl(c) == 3);
    return opd_read(c, i, n);
}

void opd_write(struct cpu *c, const struct insn *i, unsigned n, u64 value)
{
    const struct operand *o = &i->op[n];
    if (o->kind == OPD_MEM)
        seg_write(c, i->mem.seg, ea_offset(c, i), o->size, value & size_mask(o->size));
    else
        write_register(c, o, value);
}

void push(struct cpu *c, unsigned size, u64 value)
{
    unsigned width = stack_size(c);
    u64 sp = (c->state.gpr[RSP] - size) & size_mask(width);
    seg_write(c, SS, sp, size, value & size_mask(size));
    gpr_set(c, RSP, width, sp);
}

u64 pop(struct cpu *c, unsigned size)
{
    unsigned width = stack_size(c);
    u64 sp = gpr_get(c, RSP, width);
    u64 value = seg_read(c, SS, sp, size);
    gpr_set(c, RSP, width, sp + size);
    return value;
}
