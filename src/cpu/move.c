/* SPDX-License-Identifier: MIT */
/* Moves, conditional moves and sets, and the flag instructions that any privilege level may use. */
#include "cpu/integer.h"

void exec_nop(struct cpu *c, const struct insn *i) {}

/* MOV, MOVZX: what is read is zero-extended. */
void exec_mov(struct cpu *c, const struct insn *i) { opd_write(c, i, 0, opd_read(c, i, 1)); }

void exec_movsx(struct cpu *c, const struct insn *i) { opd_write(c, i, 0, sign_extend(opd_read(c, i, 1), i->op[1].size)); }

void exec_xchg(struct cpu *c, const struct insn *i)
{
    u64 a = opd_modify(c, i, 0), b = opd_modify(c, i, 1);
    if (i->op[1].kind == OPD_MEM) { /* memory first: it may still fault */
        opd_write(c, i, 1, a);
        opd_write(c, i, 0, b);
    } else {
        opd_write(c, i, 0, b);
        opd_write(c, i, 1, a);
    }
}

void exec_lea(struct cpu *c, const struct insn *i) { opd_write(c, i, 0, ea_offset(c, i)); }

/* The decoder names the segment, but there is no ModRM to hold the address. */
void exec_xlat(struct cpu *c, const struct insn *i)
{
    u64 at = (c->state.gpr[RBX] + (c->state.gpr[RAX] & 0xff)) & size_mask(i->adsize);
    gpr_set(c, RAX, 1, seg_read(c, i->mem.seg, at, 1));
}

void exec_setcc(struct cpu *c, const struct insn *i) { opd_write(c, i, 0, condition(c->state.rflags, i->mnemonic - MN_SETO)); }

/* The source is read in any case; a 32-bit destination is zero-extended in any case. */
void exec_cmovcc(struct cpu *c, const struct insn *i)
{
    u64 fresh = opd_read(c, i, 1), old = opd_read(c, i, 0);
    opd_write(c, i, 0, condition(c->state.rflags, i->mnemonic - MN_CMOVO) ? fresh : old);
}

void exec_clc(struct cpu *c, const struct insn *i) { set_flags(c, FLAG_CF, 0); }
void exec_stc(struct cpu *c, const struct insn *i) { set_flags(c, FLAG_CF, FLAG_CF); }
void exec_cmc(struct cpu *c, const struct insn *i) { c->state.rflags ^= FLAG_CF; }
void exec_cld(struct cpu *c, const struct insn *i) { set_flags(c, FLAG_DF, 0); }
void exec_std(struct cpu *c, const struct insn *i) { set_flags(c, FLAG_DF, FLAG_DF); }

enum { AH_FLAGS = FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF | FLAG_CF };

/* The first processors with 64-bit mode had left the two out there, and CPUID tells who took them back. */
static void require_lahf(struct cpu *c, const struct insn *i)
{
    if (i->bits == 64 && !(c->model->ext_features_ecx & CPUID_LAHF64))
        raise_fault(c, VEC_UD);
}

void exec_lahf(struct cpu *c, const struct insn *i)
{
    require_lahf(c, i);
    u64 ah = (c->state.rflags & AH_FLAGS) | FLAG_FIXED;
    c->state.gpr[RAX] = (c->state.gpr[RAX] & ~(u64)0xff00) | ah << 8;
}

void exec_sahf(struct cpu *c, const struct insn *i)
{
    require_lahf(c, i);
    set_flags(c, AH_FLAGS, c->state.gpr[RAX] >> 8);
}
