/* SPDX-License-Identifier: MIT */
/* Multiplication, division, and the sign extensions of the accumulator that go before it. */
#include "cpu/integer.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

/* The double-width accumulator: AX for bytes, DX:AX, EDX:EAX, RDX:RAX. */
static u128 read_double(const struct cpu *c, unsigned size)
{
    if (size == 1)
        return gpr_get(c, RAX, 2);
    return (u128)gpr_get(c, RDX, size) << 8 * size | gpr_get(c, RAX, size);
}

static void write_pair(struct cpu *c, unsigned size, u64 low, u64 high)
{
    if (size == 1) {
        gpr_set(c, RAX, 2, (low & 0xff) | (high & 0xff) << 8);
    } else {
        gpr_set(c, RAX, size, low);
        gpr_set(c, RDX, size, high);
    }
}

/* CF = OF = the product does not fit the lower half. The other flags are undefined: ours stay. */
static void multiply_flags(struct cpu *c, bool overflow)
{
    set_flags(c, FLAG_CF | FLAG_OF, overflow ? FLAG_CF | FLAG_OF : 0);
}

void exec_mul(struct cpu *c, const struct insn *i)
{
    unsigned size = i->op[0].size;
    u128 r = (u128)gpr_get(c, RAX, size) * opd_read(c, i, 0);
    write_pair(c, size, r, r >> 8 * size);
    multiply_flags(c, r >> 8 * size != 0);
}

static void imul_accumulator(struct cpu *c, const struct insn *i)
{
    unsigned size = i->op[0].size;
    s128 r = (s128)sign_extend(gpr_get(c, RAX, size), size) * sign_extend(opd_read(c, i, 0), size);
    write_pair(c, size, r, r >> 8 * size);
    multiply_flags(c, r != sign_extend(r, size));
}

/* IMUL r, r/m and IMUL r, r/m, imm */
static void imul_register(struct cpu *c, const struct insn *i)
{
    unsigned size = i->op[0].size;
    bool three = i->op[2].kind == OPD_IMM;
    s64 a = three ? (s64)i->imm : sign_extend(opd_read(c, i, 0), size);
    s128 r = (s128)a * sign_extend(opd_read(c, i, 1), size);
    opd_write(c, i, 0, r);
    multiply_flags(c, r != sign_extend(r, size));
}

void exec_imul(struct cpu *c, const struct insn *i)
{
    if (i->op[1].kind == OPD_NONE)
        imul_accumulator(c, i);
    else
        imul_register(c, i);
}

void exec_div(struct cpu *c, const struct insn *i)
{
    unsigned size = i->op[0].size;
    u128 dividend = read_double(c, size);
    u64 divisor = opd_read(c, i, 0);
    if (!divisor || dividend / divisor > size_mask(size))
        raise_fault(c, VEC_DE);
    write_pair(c, size, dividend / divisor, dividend % divisor);
}

/* Sign of the double-width dividend by hand: 128 bits hold it for 8-byte operands too. The one quotient that even those do not
 * hold is the most negative one by -1. */
void exec_idiv(struct cpu *c, const struct insn *i)
{
    unsigned size = i->op[0].size, shift = 128 - 16 * size;
    s128 dividend = (s128)(read_double(c, size) << shift) >> shift;
    s64 divisor = sign_extend(opd_read(c, i, 0), size);
    bool unrepresentable = divisor == -1 && dividend == (s128)((u128)1 << 127);
    if (!divisor || unrepresentable)
        raise_fault(c, VEC_DE);
    s128 quotient = dividend / divisor;
    if (quotient != sign_extend(quotient, size))
        raise_fault(c, VEC_DE);
    write_pair(c, size, quotient, dividend % divisor);
}

/* CBW, CWDE, CDQE */
void exec_cbw(struct cpu *c, const struct insn *i)
{
    unsigned half = i->opsize / 2;
    gpr_set(c, RAX, i->opsize, sign_extend(gpr_get(c, RAX, half), half));
}

/* CWD, CDQ, CQO */
void exec_cwd(struct cpu *c, const struct insn *i)
{
    gpr_set(c, RDX, i->opsize, sign_extend(gpr_get(c, RAX, i->opsize), i->opsize) >> 63);
}
