/* SPDX-License-Identifier: MIT */
/* SYSENTER and SYSEXIT: to ring 0 and back without descriptor tables (SDM vol. 3, 5.8.7). */
#include "cpu/descriptor.h"
#include "cpu/system.h"

static struct segment flat(u16 selector, unsigned level, bool code)
{
    u32 type = SEG_RW | SEG_ACCESSED | (code ? SEG_CODE : 0);
    return (struct segment){ .selector = selector, .limit = 0xffffffff, .attr = type | SEG_S | level << 5 | SEG_P | SEG_DB | SEG_G };
}

static void enter_flat(struct cpu *c, u16 cs, unsigned level, u32 rip, u32 rsp)
{
    struct segment code = flat(cs, level, true);
    c->state.seg[SS] = flat((cs + 8) | level, level, false);
    c->state.gpr[RSP] = rsp;
    set_cs(c, &code, level, rip);
}

void exec_sysenter(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    if (state_real(s) || selector_null(s->sysenter_cs))
        raise_error(c, VEC_GP, 0);
    s->rflags &= ~(u64)(FLAG_VM | FLAG_IF | FLAG_RF);
    enter_flat(c, s->sysenter_cs & ~3, 0, s->sysenter_eip, s->sysenter_esp);
}

void exec_sysexit(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    if (state_real(s) || selector_null(s->sysenter_cs) || cpl(c))
        raise_error(c, VEC_GP, 0);
    enter_flat(c, (s->sysenter_cs + 16) & ~3, 3, s->gpr[RDX], s->gpr[RCX]);
}
