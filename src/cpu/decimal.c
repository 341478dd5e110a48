/* SPDX-License-Identifier: MIT */
/* Decimal and ASCII adjustment (SDM vol. 2, the pages of each), and SALC. */
#include "cpu/integer.h"

static u8 al(const struct cpu *c) { return c->state.gpr[RAX]; }

/* DAA and DAS differ in the sign of what they add. */
static void adjust_packed(struct cpu *c, int sign)
{
    u8 old = al(c), value = old;
    bool low = (old & 15) > 9 || c->state.rflags & FLAG_AF;
    bool high = old > 0x99 || c->state.rflags & FLAG_CF;
    bool carry = high || (low && sign < 0 && old < 6);
    value += sign * ((low ? 6 : 0) + (high ? 0x60 : 0));
    gpr_set(c, RAX, 1, value);
    set_flags(c, FLAG_STATUS & ~FLAG_OF, flags_result(value, 1) | (carry ? FLAG_CF : 0) | (low ? FLAG_AF : 0));
}

void exec_daa(struct cpu *c, const struct insn *i) { adjust_packed(c, 1); }
void exec_das(struct cpu *c, const struct insn *i) { adjust_packed(c, -1); }

/* AAA and AAS: the carry goes to AH as the 16-bit sum says. */
static void adjust_unpacked(struct cpu *c, int sign)
{
    u16 ax = c->state.gpr[RAX];
    bool adjust = (ax & 15) > 9 || c->state.rflags & FLAG_AF;
    if (adjust)
        ax += sign * 0x106;
    gpr_set(c, RAX, 2, ax & 0xff0f);
    set_flags(c, FLAG_AF | FLAG_CF, adjust ? FLAG_AF | FLAG_CF : 0);
}

void exec_aaa(struct cpu *c, const struct insn *i) { adjust_unpacked(c, 1); }
void exec_aas(struct cpu *c, const struct insn *i) { adjust_unpacked(c, -1); }

void exec_aam(struct cpu *c, const struct insn *i)
{
    u8 base = i->imm, value = al(c);
    if (!base)
        raise_fault(c, VEC_DE);
    gpr_set(c, RAX, 2, (value / base) << 8 | value % base);
    set_flags(c, FLAG_ZF | FLAG_SF | FLAG_PF, flags_result(al(c), 1));
}

void exec_aad(struct cpu *c, const struct insn *i)
{
    u8 value = al(c) + (c->state.gpr[RAX] >> 8 & 0xff) * (u8)i->imm;
    gpr_set(c, RAX, 2, value);
    set_flags(c, FLAG_ZF | FLAG_SF | FLAG_PF, flags_result(value, 1));
}

void exec_salc(struct cpu *c, const struct insn *i)
{
    gpr_set(c, RAX, 1, c->state.rflags & FLAG_CF ? 0xff : 0);
}
