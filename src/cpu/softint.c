/* SPDX-License-Identifier: MIT */
/* INT n, INT3, INTO, INT1, BOUND (SDM vol. 2, INT n), and what CR4.VME makes of INT n (vol. 3, 20.3). */
#include "cpu/descriptor.h"
#include "cpu/system.h"

bool vme_active(const struct cpu *c)
{
    return state_v86(&c->state) && c->state.cr4 & CR4_VME && iopl(c) < 3;
}

/* The 32 bytes of the redirection bitmap lie just below the I/O bitmap: a clear bit means the program's own table. */
bool vme_redirects(struct cpu *c, u8 vector)
{
    const struct segment *tr = &c->state.tr;
    if (!(c->state.cr4 & CR4_VME) || tr->limit < 103)
        return false;
    u32 at = lin_read_system(c, (u32)(tr->base + 102), 2) - 32 + vector / 8;
    if (at > tr->limit)
        return false;
    return !(lin_read_system(c, (u32)(tr->base + at), 1) >> (vector & 7) & 1);
}

void exec_int(struct cpu *c, const struct insn *i)
{
    u8 vector = i->imm;
    if (state_v86(&c->state) && iopl(c) < 3 && !vme_redirects(c, vector))
        raise_error(c, VEC_GP, 0);
    raise_soft(c, vector, TRAP_SOFT_INT);
}

void exec_int1(struct cpu *c, const struct insn *i) { raise_soft(c, VEC_DB, TRAP_ICEBP); }
void exec_int3(struct cpu *c, const struct insn *i) { raise_soft(c, VEC_BP, TRAP_SOFT_EXC); }

void exec_into(struct cpu *c, const struct insn *i)
{
    if (c->state.rflags & FLAG_OF)
        raise_soft(c, VEC_OF, TRAP_SOFT_EXC);
}

static s32 signed_at(struct cpu *c, const struct insn *i, u64 at)
{
    u32 v = seg_read(c, i->mem.seg, at, i->opsize);
    return i->opsize == 2 ? (s16)v : (s32)v;
}

void exec_bound(struct cpu *c, const struct insn *i)
{
    u64 at = ea_offset(c, i);
    u32 v = gpr_get(c, i->op[0].reg, i->opsize);
    s32 index = i->opsize == 2 ? (s16)v : (s32)v;
    s32 lower = signed_at(c, i, at), upper = signed_at(c, i, at + i->opsize); /* both are read: #PF goes before #BR */
    if (index < lower || index > upper)
        raise_fault(c, VEC_BR);
}
