/* SPDX-License-Identifier: MIT */
/* Single bits: tests, scans; BSWAP. */
#include "cpu/integer.h"

typedef u64 change_fn(u64 value, u64 bit);

static u64 keep(u64 value, u64 bit) { return value; }
static u64 set(u64 value, u64 bit) { return value | bit; }
static u64 reset(u64 value, u64 bit) { return value & ~bit; }
static u64 complement(u64 value, u64 bit) { return value ^ bit; }

/* A bit offset in a register may reach far from a memory operand (SDM vol. 1, figure 3-11): by whole operands here. */
static void bit_string(struct cpu *c, const struct insn *i, change_fn *change)
{
    unsigned size = i->op[0].size, bits = 8 * size;
    s64 offset = sign_extend(opd_read(c, i, 1), size);
    u64 at = (ea_offset(c, i) + (u64)(offset >> __builtin_ctz(bits)) * size) & size_mask(i->adsize), bit = BIT(offset & (bits - 1));
    if (change != keep)
        lin_probe_write(c, seg_linear(c, i->mem.seg, at, size, true), size, cpl(c) == 3);
    u64 value = seg_read(c, i->mem.seg, at, size);
    if (change != keep)
        seg_write(c, i->mem.seg, at, size, change(value, bit));
    set_flags(c, FLAG_CF, value & bit ? FLAG_CF : 0);
}

static void test_bit(struct cpu *c, const struct insn *i, change_fn *change)
{
    if (i->op[0].kind == OPD_MEM && i->op[1].kind == OPD_GPR) {
        bit_string(c, i, change);
        return;
    }
    u64 value = change == keep ? opd_read(c, i, 0) : opd_modify(c, i, 0);
    u64 bit = BIT(opd_read(c, i, 1) & (8 * i->op[0].size - 1));
    if (change != keep)
        opd_write(c, i, 0, change(value, bit));
    set_flags(c, FLAG_CF, value & bit ? FLAG_CF : 0);
}

void exec_bt(struct cpu *c, const struct insn *i) { test_bit(c, i, keep); }
void exec_bts(struct cpu *c, const struct insn *i) { test_bit(c, i, set); }
void exec_btr(struct cpu *c, const struct insn *i) { test_bit(c, i, reset); }
void exec_btc(struct cpu *c, const struct insn *i) { test_bit(c, i, complement); }

/* A source of zero leaves the destination alone, as all processors do. */
static void scan(struct cpu *c, const struct insn *i, bool reverse)
{
    u64 value = opd_read(c, i, 1);
    if (value)
        opd_write(c, i, 0, reverse ? 63 - __builtin_clzll(value) : __builtin_ctzll(value));
    set_flags(c, FLAG_ZF, value ? 0 : FLAG_ZF);
}

void exec_bsf(struct cpu *c, const struct insn *i) { scan(c, i, false); }
void exec_bsr(struct cpu *c, const struct insn *i) { scan(c, i, true); }

/* Of 16-bit registers it is undefined; processors clear them. */
void exec_bswap(struct cpu *c, const struct insn *i)
{
    u64 value = opd_read(c, i, 0);
    unsigned size = i->op[0].size;
    opd_write(c, i, 0, size == 8 ? __builtin_bswap64(value) : size == 4 ? __builtin_bswap32(value) : 0);
}
