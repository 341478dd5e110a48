/* SPDX-License-Identifier: MIT */
/*
 * To ring 0 and back without descriptor tables: SYSENTER and SYSEXIT (SDM vol. 3, 5.8.7), and the pair of 64-bit code, SYSCALL and
 * SYSRET with SWAPGS (5.8.8). Segments are not read from memory but are what a flat system would have put there.
 */
#include "cpu/descriptor.h"
#include "cpu/system.h"

/* Bits of code: 64 or 32. Stacks are the same for both. */
static struct segment flat(u16 selector, unsigned level, u32 more)
{
    return (struct segment){ .selector = selector, .limit = 0xffffffff, .attr = SEG_RW | SEG_ACCESSED | SEG_S | level << 5 | SEG_P | SEG_G | more };
}

static void enter_flat(struct cpu *c, u16 cs, u16 ss, unsigned level, unsigned bits)
{
    c->state.seg[CS] = flat((cs & ~3) | level, level, SEG_CODE | (bits == 64 ? SEG_L : SEG_DB));
    c->state.seg[SS] = flat((ss & ~3) | level, level, SEG_DB);
}

/* --- SYSENTER, SYSEXIT --- */

void exec_sysenter(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    bool wide = state_long(s);
    if (state_real(s) || selector_null(s->sysenter_cs))
        raise_error(c, VEC_GP, 0);
    s->rflags &= ~(u64)(FLAG_VM | FLAG_IF | FLAG_RF);
    enter_flat(c, s->sysenter_cs, s->sysenter_cs + 8, 0, wide ? 64 : 32);
    s->gpr[RSP] = wide ? s->sysenter_esp : (u32)s->sysenter_esp;
    s->rip = wide ? s->sysenter_eip : (u32)s->sysenter_eip;
}

/* The 64-bit form, with REX.W, goes to other segments than the 32-bit one. */
void exec_sysexit(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    bool wide = i->opsize == 8;
    if (state_real(s) || selector_null(s->sysenter_cs) || cpl(c))
        raise_error(c, VEC_GP, 0);
    if (wide && (!gva_canonical(s->gpr[RDX]) || !gva_canonical(s->gpr[RCX])))
        raise_error(c, VEC_GP, 0);
    u16 cs = s->sysenter_cs + (wide ? 32 : 16);
    enter_flat(c, cs, cs + 8, 3, wide ? 64 : 32);
    s->gpr[RSP] = wide ? s->gpr[RCX] : (u32)s->gpr[RCX];
    s->rip = wide ? s->gpr[RDX] : (u32)s->gpr[RDX];
}

/* --- SYSCALL, SYSRET: STAR holds the selectors, bits 47..32 the kernel's and 63..48 the user's --- */

static void require_syscall(struct cpu *c)
{
    if (!(c->state.efer & EFER_SCE))
        raise_fault(c, VEC_UD);
}

/* RSP is the caller's: the kernel must not touch it before it has found its own, by SWAPGS. */
void exec_syscall(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    require_syscall(c);
    s->gpr[RCX] = s->rip;
    s->gpr[R11] = s->rflags & ~(u64)FLAG_RF;
    s->rflags = (s->rflags & ~(s->sfmask | FLAG_RF)) | FLAG_FIXED;
    enter_flat(c, s->star >> 32, (s->star >> 32) + 8, 0, 64);
    s->rip = s->lstar;
}

/* The 32-bit form returns to compatibility mode. Neither touches RSP. */
void exec_sysret(struct cpu *c, const struct insn *i)
{
    const u32 flags = FLAG_STATUS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_VIF | FLAG_VIP | FLAG_ID;
    struct cpu_state *s = &c->state;
    bool wide = i->opsize == 8;
    u16 user = s->star >> 48;
    require_syscall(c);
    if (cpl(c) || (wide && !gva_canonical(s->gpr[RCX])))
        raise_error(c, VEC_GP, 0);
    s->rflags = (s->gpr[R11] & flags) | FLAG_FIXED;
    enter_flat(c, user + (wide ? 16 : 0), user + 8, 3, wide ? 64 : 32);
    s->rip = wide ? s->gpr[RCX] : (u32)s->gpr[RCX];
}

void exec_swapgs(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    require_ring0(c);
    u64 user = s->seg[GS].base;
    s->seg[GS].base = s->kernel_gs_base;
    s->kernel_gs_base = user;
}
