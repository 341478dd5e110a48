/* SPDX-License-Identifier: MIT */
/*
 * One delivery through the vector table: real mode (SDM vol. 3, 20.1.4), protected mode (6.12), from virtual-8086 mode
 * (20.3), IA-32e mode (6.14). What happens when the delivery itself faults is in deliver.c.
 */
#include "cpu/descriptor.h"

static bool soft(const struct trap *t) { return t->type == TRAP_SOFT_INT || t->type == TRAP_SOFT_EXC; }

/* Where the handler returns to: behind an instruction that asked for the trap, to the instruction otherwise. */
static u64 return_rip(const struct cpu *c, const struct trap *t)
{
    return c->state.rip + (soft(t) || t->type == TRAP_ICEBP ? t->insn_len : 0);
}

/* The saved image has RF set for faults, so that an instruction breakpoint does not hit again (SDM vol. 3, 17.3.1.1). */
static u32 flags_image(const struct cpu *c, const struct trap *t)
{
    bool fault = t->type == TRAP_FAULT && t->vector != VEC_DB && t->vector != VEC_DF && t->vector != VEC_MC;
    return (u32)c->state.rflags | (fault ? FLAG_RF : 0);
}

/* --- real mode, and INT n redirected into a virtual-8086 program --- */

static void push_real(struct cpu *c, struct stack *k, u32 flags, u64 rip)
{
    stack_push(c, k, 2, flags);
    stack_push(c, k, 2, c->state.seg[CS].selector);
    stack_push(c, k, 2, rip);
}

static void deliver_real(struct cpu *c, const struct trap *t)
{
    struct cpu_state *s = &c->state;
    u32 entry = t->vector * 4;
    if (entry + 3 > s->idtr.limit)
        raise_error(c, VEC_GP, t->vector * 8 + 2);
    u32 vector = lin_read_system(c, (u32)(s->idtr.base + entry), 4);
    struct stack k = stack_current(c);
    push_real(c, &k, s->rflags, return_rip(c, t));
    stack_commit(c, &k);
    s->rflags &= ~(u64)(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF);
    s->seg[CS] = segment_real(&s->seg[CS], vector >> 16);
    s->rip = vector & 0xffff;
}

/* SDM vol. 3, 20.3.3.3 (method 5) and 20.3.3.4 (method 6): the program's own table at linear 0; with IOPL < 3, VIF is
 * what it sees as IF. */
static void deliver_redirected(struct cpu *c, const struct trap *t)
{
    struct cpu_state *s = &c->state;
    bool virtual_if = iopl(c) < 3;
    u32 vector = lin_read(c, t->vector * 4, 4), flags = s->rflags;
    if (virtual_if)
        flags = (flags & ~FLAG_IF) | FLAG_IOPL | (flags & FLAG_VIF ? FLAG_IF : 0);
    struct stack k = stack_current(c);
    push_real(c, &k, flags, return_rip(c, t));
    stack_commit(c, &k);
    s->rflags &= ~(u64)(FLAG_TF | FLAG_RF | FLAG_AC | (virtual_if ? FLAG_VIF : FLAG_IF));
    s->seg[CS] = segment_v86(vector >> 16);
    s->rip = vector & 0xffff;
}

/* --- protected mode --- */

static _Noreturn void raise_idt(struct cpu *c, u8 vector, const struct trap *t)
{
    raise_error(c, vector, t->vector * 8 + 2 + error_ext(c));
}

static u64 fetch_gate(struct cpu *c, const struct trap *t)
{
    const struct cpu_state *s = &c->state;
    if (t->vector * 8u + 7 > s->idtr.limit)
        raise_idt(c, VEC_GP, t);
    u64 gate = lin_read_system(c, (u32)(s->idtr.base + t->vector * 8), 8);
    const u32 gates = 1 << SYS_TASK_GATE | 1 << SYS_INT_GATE16 | 1 << SYS_TRAP_GATE16 | 1 << SYS_INT_GATE32 | 1 << SYS_TRAP_GATE32;
    if (!desc_system(gate) || !(gates >> desc_type(gate) & 1))
        raise_idt(c, VEC_GP, t);
    if (soft(t) && desc_dpl(gate) < cpl(c))
        raise_idt(c, VEC_GP, t);
    if (!desc_present(gate))
        raise_idt(c, VEC_NP, t);
    return gate;
}

/* The handler's code segment, with the privilege level that it will run at. */
static struct segment fetch_handler(struct cpu *c, u64 gate, unsigned *level)
{
    u16 selector = gate_selector(gate);
    if (selector_null(selector))
        raise_error(c, VEC_GP, error_ext(c));
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    if (!desc_code(raw) || desc_dpl(raw) > cpl(c))
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    *level = desc_conforming(raw) ? cpl(c) : desc_dpl(raw);
    if (state_v86(&c->state) && (desc_conforming(raw) || *level != 0))
        raise_selector(c, VEC_GP, selector);
    return descriptor_load(c, selector, raw);
}

static void push_frame(struct cpu *c, struct stack *k, const struct trap *t, unsigned size)
{
    stack_push(c, k, size, flags_image(c, t));
    stack_push(c, k, size, c->state.seg[CS].selector);
    stack_push(c, k, size, return_rip(c, t));
    if (t->has_error)
        stack_push(c, k, size, t->error);
}

/* A handler at the same level runs on the same stack. */
static void enter_same(struct cpu *c, const struct trap *t, unsigned size)
{
    struct stack k = stack_current(c);
    push_frame(c, &k, t, size);
    stack_commit(c, &k);
}

static void push_v86_segments(struct cpu *c, struct stack *k, unsigned size)
{
    static const u8 order[] = { GS, FS, DS, ES };
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        stack_push(c, k, size, c->state.seg[order[i]].selector);
}

static void enter_inner(struct cpu *c, const struct trap *t, unsigned size, unsigned level)
{
    struct cpu_state *s = &c->state;
    bool v86 = state_v86(s);
    struct stack k = stack_inner(c, level);
    stack_require(c, &k, size * ((v86 ? 9 : 5) + t->has_error));
    if (v86)
        push_v86_segments(c, &k, size);
    stack_push(c, &k, size, s->seg[SS].selector);
    stack_push(c, &k, size, s->gpr[RSP]);
    push_frame(c, &k, t, size);
    stack_switch(c, &k);
    for (int i = 0; v86 && i < SREG_COUNT; i++) {
        if (i != CS && i != SS)
            s->seg[i] = segment_null(0);
    }
}

static void deliver_by_gate(struct cpu *c, const struct trap *t, u64 gate)
{
    struct cpu_state *s = &c->state;
    unsigned level;
    struct segment cs = fetch_handler(c, gate, &level);
    if (!segment_covers(&cs, gate_offset(gate), 1))
        raise_error(c, VEC_GP, error_ext(c));
    if (level < cpl(c))
        enter_inner(c, t, gate_size(gate), level);
    else
        enter_same(c, t, gate_size(gate));
    bool interrupt_gate = !(desc_type(gate) & 1);
    s->rflags &= ~(u64)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (interrupt_gate ? FLAG_IF : 0));
    set_cs(c, &cs, level, gate_offset(gate));
}

/* The old task goes on where a handler would return to. */
static void deliver_by_task(struct cpu *c, const struct trap *t, u64 gate)
{
    u64 rip = c->state.rip;
    c->state.rip = return_rip(c, t);
    c->insn_rip = rip;
    task_switch(c, gate_selector(gate), TASK_INT, t->has_error, t->error);
}

static void deliver_protected(struct cpu *c, const struct trap *t)
{
    u64 gate = fetch_gate(c, t);
    if (desc_type(gate) == SYS_TASK_GATE)
        deliver_by_task(c, t, gate);
    else
        deliver_by_gate(c, t, gate);
}

/* --- IA-32e mode: gates of 16 bytes, frames of eight-byte words, 64-bit handlers; SDM vol. 3, 6.14 --- */

static u64 fetch_gate_long(struct cpu *c, const struct trap *t, u64 *upper)
{
    const struct cpu_state *s = &c->state;
    if (t->vector * 16u + 15 > s->idtr.limit)
        raise_idt(c, VEC_GP, t);
    u64 gate = lin_read_system(c, s->idtr.base + t->vector * 16, 8);
    *upper = lin_read_system(c, s->idtr.base + t->vector * 16 + 8, 8);
    if (!desc_system(gate) || (desc_type(gate) | 1) != SYS_TRAP_GATE32 || (soft(t) && desc_dpl(gate) < cpl(c)))
        raise_idt(c, VEC_GP, t);
    if (!desc_present(gate))
        raise_idt(c, VEC_NP, t);
    return gate;
}

/* SS:RSP is pushed in any case, on a stack that is aligned to 16 bytes first. */
static void enter_long(struct cpu *c, const struct trap *t, unsigned level, unsigned ist)
{
    struct stack k = stack_current(c);
    if (ist || level < cpl(c))
        k = stack_inner_long(c, level, ist);
    k.wide = true;
    k.sp &= ~(u64)15;
    stack_require(c, &k, 8 * (5 + t->has_error));
    stack_push(c, &k, 8, c->state.seg[SS].selector);
    stack_push(c, &k, 8, c->state.gpr[RSP]);
    push_frame(c, &k, t, 8);
    stack_switch(c, &k);
}

static void deliver_long(struct cpu *c, const struct trap *t)
{
    u64 upper, gate = fetch_gate_long(c, t, &upper), entry = gate_offset_long(gate, upper);
    unsigned level, ist = gate >> 32 & 7;
    struct segment cs = fetch_handler(c, gate, &level);
    if ((cs.attr & (SEG_L | SEG_DB)) != SEG_L)
        raise_selector(c, VEC_GP, gate_selector(gate));
    check_rip(c, &cs, entry);
    enter_long(c, t, level, ist);
    c->state.rflags &= ~(u64)(FLAG_TF | FLAG_NT | FLAG_RF | (desc_type(gate) & 1 ? 0 : FLAG_IF));
    set_cs(c, &cs, level, entry);
}

/* What the processor latches when it recognizes the event. */
static void latch(struct cpu *c, const struct trap *t)
{
    if (t->type != TRAP_FAULT)
        return;
    if (t->vector == VEC_PF)
        c->state.cr2 = t->cr2;
    if (t->vector == VEC_DB) {
        c->state.dr[6] |= t->dr6;
        c->state.dr[7] &= ~BIT(13); /* GD: the handler may use the debug registers (SDM vol. 3, 17.2.4) */
    }
}

void deliver_once(struct cpu *c, const struct trap *t)
{
    struct cpu_state *s = &c->state;
    latch(c, t);
    if (state_real(s))
        deliver_real(c, t);
    else if (t->type == TRAP_SOFT_INT && state_v86(s) && vme_redirects(c, t->vector))
        deliver_redirected(c, t);
    else if (state_long(s))
        deliver_long(c, t);
    else
        deliver_protected(c, t);
    s->activity = CPU_ACTIVE;
    s->sti_shadow = s->movss_shadow = 0;
    if (t->type == TRAP_NMI)
        s->nmi_blocked = 1;
}
