/* SPDX-License-Identifier: MIT */
/*
 * CLI, STI, PUSHF, POPF: who may see and change IF (SDM vol. 2; vol. 3, 20.3 and 20.4).
 *
 * POPF is the classic sensitive instruction that does not trap: above IOPL it leaves IF alone and says nothing.
 */
#include "cpu/descriptor.h"
#include "cpu/system.h"

/* Which flag CLI and STI act on here: IF, VIF, or none (#GP). */
static u32 interrupt_flag(const struct cpu *c)
{
    const struct cpu_state *s = &c->state;
    if (state_real(s) || (state_v86(s) ? iopl(c) == 3 : cpl(c) <= iopl(c)))
        return FLAG_IF;
    if (state_v86(s) ? s->cr4 & CR4_VME : cpl(c) == 3 && s->cr4 & CR4_PVI)
        return FLAG_VIF;
    return 0;
}

void exec_cli(struct cpu *c, const struct insn *i)
{
    u32 flag = interrupt_flag(c);
    if (!flag)
        raise_error(c, VEC_GP, 0);
    c->state.rflags &= ~(u64)flag;
}

void exec_sti(struct cpu *c, const struct insn *i)
{
    u32 flag = interrupt_flag(c);
    if (!flag || (flag == FLAG_VIF && c->state.rflags & FLAG_VIP))
        raise_error(c, VEC_GP, 0);
    if (flag == FLAG_IF && !(c->state.rflags & FLAG_IF))
        c->state.sti_shadow = 1;
    c->state.rflags |= flag;
}

/* In virtual-8086 mode with IOPL < 3 only the 16-bit forms work, and only with VME. True: VIF stands for IF. */
static bool virtual_if(struct cpu *c, unsigned size)
{
    if (!state_v86(&c->state) || iopl(c) == 3)
        return false;
    if (!vme_active(c) || size != 2)
        raise_error(c, VEC_GP, 0);
    return true;
}

void exec_pushf(struct cpu *c, const struct insn *i)
{
    u32 image = c->state.rflags & ~(u64)(FLAG_VM | FLAG_RF);
    if (virtual_if(c, i->opsize))
        image = (image & ~FLAG_IF) | FLAG_IOPL | (image & FLAG_VIF ? FLAG_IF : 0);
    push(c, i->opsize, image);
}

/* What POPF may change, by mode and privilege (SDM vol. 2, table 4-16). */
static u32 popf_writable(const struct cpu *c)
{
    u32 mask = FLAG_STATUS | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID;
    bool ring0 = state_real(&c->state) || cpl(c) == 0;
    if (ring0)
        mask |= FLAG_IOPL;
    if (ring0 || cpl(c) <= iopl(c))
        mask |= FLAG_IF;
    return mask;
}

static void popf_virtual(struct cpu *c, u32 image)
{
    if (image & FLAG_TF || (image & FLAG_IF && c->state.rflags & FLAG_VIP))
        raise_error(c, VEC_GP, 0);
    const u32 mask = FLAG_STATUS | FLAG_DF | FLAG_NT;
    u32 vif = image & FLAG_IF ? FLAG_VIF : 0;
    c->state.rflags = (c->state.rflags & ~(u64)(mask | FLAG_VIF | FLAG_RF)) | (image & mask) | vif | FLAG_FIXED;
}

void exec_popf(struct cpu *c, const struct insn *i)
{
    bool by_vif = virtual_if(c, i->opsize);
    u32 image = stack_peek(c, 0, i->opsize), mask = popf_writable(c);
    if (by_vif) {
        popf_virtual(c, image);
    } else {
        mask &= i->opsize == 2 ? 0xffff : 0xffffffff;
        c->state.rflags = (c->state.rflags & ~(u64)(mask | FLAG_RF)) | (image & mask) | FLAG_FIXED;
    }
    stack_drop(c, i->opsize);
}
