/* SPDX-License-Identifier: MIT */
/* Addition, subtraction and logic. Memory destinations are checked for the write before anything is computed. */
#include "cpu/integer.h"

static u64 mask_to(u64 value, const struct insn *i) { return value & size_mask(i->op[0].size); }

/* Write the destination, then, as nothing can fault any more, the flags. */
static void finish(struct cpu *c, const struct insn *i, u64 result, u32 which, u32 flags)
{
    opd_write(c, i, 0, result);
    set_flags(c, which, flags);
}

static void add(struct cpu *c, const struct insn *i, u64 carry)
{
    u64 a = opd_modify(c, i, 0), b = opd_read(c, i, 1), r = mask_to(a + b + carry, i);
    finish(c, i, r, FLAG_STATUS, flags_add(a, b, r, i->op[0].size));
}

static void sub(struct cpu *c, const struct insn *i, u64 borrow)
{
    u64 a = opd_modify(c, i, 0), b = opd_read(c, i, 1), r = mask_to(a - b - borrow, i);
    finish(c, i, r, FLAG_STATUS, flags_sub(a, b, r, i->op[0].size));
}

static u64 carry(const struct cpu *c) { return c->state.rflags & FLAG_CF; }

void exec_add(struct cpu *c, const struct insn *i) { add(c, i, 0); }
void exec_adc(struct cpu *c, const struct insn *i) { add(c, i, carry(c)); }
void exec_sub(struct cpu *c, const struct insn *i) { sub(c, i, 0); }
void exec_sbb(struct cpu *c, const struct insn *i) { sub(c, i, carry(c)); }

void exec_cmp(struct cpu *c, const struct insn *i)
{
    u64 a = opd_read(c, i, 0), b = opd_read(c, i, 1);
    set_flags(c, FLAG_STATUS, flags_sub(a, b, mask_to(a - b, i), i->op[0].size));
}

void exec_inc(struct cpu *c, const struct insn *i)
{
    u64 a = opd_modify(c, i, 0), r = mask_to(a + 1, i);
    finish(c, i, r, FLAG_STATUS & ~FLAG_CF, flags_add(a, 1, r, i->op[0].size));
}

void exec_dec(struct cpu *c, const struct insn *i)
{
    u64 a = opd_modify(c, i, 0), r = mask_to(a - 1, i);
    finish(c, i, r, FLAG_STATUS & ~FLAG_CF, flags_sub(a, 1, r, i->op[0].size));
}

void exec_neg(struct cpu *c, const struct insn *i)
{
    u64 a = opd_modify(c, i, 0), r = mask_to(-a, i);
    finish(c, i, r, FLAG_STATUS, flags_sub(0, a, r, i->op[0].size));
}

void exec_not(struct cpu *c, const struct insn *i)
{
    opd_write(c, i, 0, ~opd_modify(c, i, 0));
}

void exec_and(struct cpu *c, const struct insn *i)
{
    u64 r = opd_modify(c, i, 0) & opd_read(c, i, 1);
    finish(c, i, r, FLAG_STATUS, flags_result(r, i->op[0].size));
}

void exec_or(struct cpu *c, const struct insn *i)
{
    u64 r = opd_modify(c, i, 0) | opd_read(c, i, 1);
    finish(c, i, r, FLAG_STATUS, flags_result(r, i->op[0].size));
}

void exec_xor(struct cpu *c, const struct insn *i)
{
    u64 r = opd_modify(c, i, 0) ^ opd_read(c, i, 1);
    finish(c, i, r, FLAG_STATUS, flags_result(r, i->op[0].size));
}

void exec_test(struct cpu *c, const struct insn *i)
{
    u64 r = opd_read(c, i, 0) & opd_read(c, i, 1);
    set_flags(c, FLAG_STATUS, flags_result(r, i->op[0].size));
}

/* Memory is written first: the other operand may be a register of its address. Of two registers the sum goes last: XADD of one
 * with itself leaves the sum. */
void exec_xadd(struct cpu *c, const struct insn *i)
{
    u64 a = opd_modify(c, i, 0), b = opd_read(c, i, 1), r = mask_to(a + b, i);
    bool memory = i->op[0].kind == OPD_MEM;
    opd_write(c, i, memory ? 0 : 1, memory ? r : a);
    opd_write(c, i, memory ? 1 : 0, memory ? a : r);
    set_flags(c, FLAG_STATUS, flags_add(a, b, r, i->op[0].size));
}

/* A destination in memory is written back in either case, as on the real processor; a register is left alone, with its upper half. */
void exec_cmpxchg(struct cpu *c, const struct insn *i)
{
    unsigned size = i->op[0].size;
    u64 old = opd_modify(c, i, 0), expected = gpr_get(c, RAX, size), fresh = opd_read(c, i, 1);
    if (old == expected || i->op[0].kind == OPD_MEM)
        opd_write(c, i, 0, old == expected ? fresh : old);
    if (old != expected)
        gpr_set(c, RAX, size, old);
    set_flags(c, FLAG_STATUS, flags_sub(expected, old, (expected - old) & size_mask(size), size));
}

/* CMPXCHG8B and CMPXCHG16B: two halves of 4 or 8 bytes. */
void exec_cmpxchg8b(struct cpu *c, const struct insn *i)
{
    unsigned half = i->op[0].size / 2, seg = i->mem.seg;
    u64 at = ea_offset(c, i), mask = size_mask(half);
    gva_t gva = seg_linear(c, seg, at, 2 * half, true);
    if (half == 8 && gva & 15)
        raise_error(c, VEC_GP, 0);
    lin_probe_write(c, gva, 2 * half, cpl(c) == 3);
    u64 low = seg_read(c, seg, at, half), high = seg_read(c, seg, at + half, half);
    bool equal = low == (c->state.gpr[RAX] & mask) && high == (c->state.gpr[RDX] & mask);
    seg_write(c, seg, at, half, equal ? c->state.gpr[RBX] & mask : low);
    seg_write(c, seg, at + half, half, equal ? c->state.gpr[RCX] & mask : high);
    if (!equal) {
        gpr_set(c, RAX, half, low);
        gpr_set(c, RDX, half, high);
    }
    set_flags(c, FLAG_ZF, equal ? FLAG_ZF : 0);
}
