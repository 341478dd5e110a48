/* SPDX-License-Identifier: MIT */
/* Far JMP and CALL: to code segments, through call gates, to tasks (SDM vol. 2, JMP, CALL; vol. 3, 5.8). */
#include "cpu/descriptor.h"
#include "cpu/system.h"

void check_rip(struct cpu *c, const struct segment *cs, u64 rip)
{
    if (code_is_64(c, cs) ? !gva_canonical(rip) : rip > cs->limit)
        raise_error(c, VEC_GP, error_ext(c));
}

void check_jump_target(struct cpu *c, u64 rip) { check_rip(c, &c->state.seg[CS], rip); }

void set_cs(struct cpu *c, const struct segment *cs, unsigned level, u64 rip)
{
    c->state.seg[CS] = *cs;
    c->state.seg[CS].selector = (cs->selector & ~3) | level;
    c->state.rip = rip;
}

static u64 offset_mask(unsigned size) { return size == 8 ? ~(u64)0 : size == 4 ? 0xffffffff : 0xffff; }

/* --- CS:EIP on the stack --- */

static void push_return(struct cpu *c, struct stack *k, unsigned size)
{
    stack_push(c, k, size, c->state.seg[CS].selector);
    stack_push(c, k, size, c->state.rip);
}

/* --- real and virtual-8086 mode --- */

static void transfer_real(struct cpu *c, u16 selector, u32 rip, unsigned size, bool call)
{
    struct cpu_state *s = &c->state;
    struct segment cs = state_v86(s) ? segment_v86(selector) : segment_real(&s->seg[CS], selector);
    struct stack k = stack_current(c);
    if (call)
        push_return(c, &k, size);
    check_rip(c, &cs, rip);
    stack_commit(c, &k);
    s->seg[CS] = cs;
    s->rip = rip;
}

/* --- code segments --- */

static struct segment check_code_target(struct cpu *c, u16 selector, u64 raw)
{
    bool allowed = desc_conforming(raw) ? desc_dpl(raw) <= cpl(c) : selector_rpl(selector) <= cpl(c) && desc_dpl(raw) == cpl(c);
    if (!allowed)
        raise_selector(c, VEC_GP, selector);
    descriptor_check_code(c, selector, raw);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    return descriptor_load(c, selector, raw);
}

static void transfer_code(struct cpu *c, u16 selector, u64 raw, u64 rip, unsigned size, bool call)
{
    struct segment cs = check_code_target(c, selector, raw);
    struct stack k = stack_current(c);
    if (call)
        push_return(c, &k, size);
    check_rip(c, &cs, rip);
    stack_commit(c, &k);
    set_cs(c, &cs, cpl(c), rip);
}

/* --- call gates, SDM vol. 3, 5.8.4 --- */

/* May gates and TSSs be used from here? SDM vol. 3, table 5-1. */
static void check_gate_privilege(struct cpu *c, u16 selector, u64 raw)
{
    if (desc_dpl(raw) < cpl(c) || desc_dpl(raw) < selector_rpl(selector))
        raise_selector(c, VEC_GP, selector);
}

static u64 fetch_gate_target(struct cpu *c, u64 gate, bool call)
{
    u16 selector = gate_selector(gate);
    if (selector_null(selector))
        raise_error(c, VEC_GP, 0);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    bool same_only = !call && !desc_conforming(raw);
    if (!desc_code(raw) || desc_dpl(raw) > cpl(c) || (same_only && desc_dpl(raw) != cpl(c)))
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    return raw;
}

/* The old stack's pointer, the parameters from it, and the return address: on the new stack (SDM vol. 3, figure 5-13). */
static void call_inner(struct cpu *c, u64 gate, const struct segment *cs, unsigned level)
{
    unsigned size = gate_size(gate), count = gate >> 32 & 0x1f;
    struct stack k = stack_inner(c, level);
    stack_require(c, &k, size * (4 + count));
    check_rip(c, cs, gate_offset(gate));
    stack_push(c, &k, size, c->state.seg[SS].selector);
    stack_push(c, &k, size, c->state.gpr[RSP]);
    while (count--)
        stack_push(c, &k, size, stack_peek(c, count * size, size));
    push_return(c, &k, size);
    stack_switch(c, &k);
    set_cs(c, cs, level, gate_offset(gate));
}

static void call_gate(struct cpu *c, u16 selector, u64 gate, bool call)
{
    check_gate_privilege(c, selector, gate);
    if (!desc_present(gate))
        raise_selector(c, VEC_NP, selector);
    u64 raw = fetch_gate_target(c, gate, call);
    struct segment cs = descriptor_load(c, gate_selector(gate), raw);
    if (call && !desc_conforming(raw) && desc_dpl(raw) < cpl(c)) {
        call_inner(c, gate, &cs, desc_dpl(raw));
        return;
    }
    struct stack k = stack_current(c);
    if (call)
        push_return(c, &k, gate_size(gate));
    check_rip(c, &cs, gate_offset(gate));
    stack_commit(c, &k);
    set_cs(c, &cs, cpl(c), gate_offset(gate));
}

/* --- call gates of IA-32e mode, SDM vol. 3, 5.8.3.1 and 5.8.5.1: always to 64-bit code, eight-byte words, no parameters --- */

static void call_gate_long(struct cpu *c, u16 selector, u64 gate, bool call)
{
    check_gate_privilege(c, selector, gate);
    if (!desc_present(gate))
        raise_selector(c, VEC_NP, selector);
    u64 entry = gate_offset_long(gate, descriptor_fetch_upper(c, selector, VEC_GP)), raw = fetch_gate_target(c, gate, call);
    struct segment cs = descriptor_load(c, gate_selector(gate), raw);
    if ((cs.attr & (SEG_L | SEG_DB)) != SEG_L)
        raise_selector(c, VEC_GP, gate_selector(gate));
    check_rip(c, &cs, entry);
    bool inner = call && !desc_conforming(raw) && desc_dpl(raw) < cpl(c);
    unsigned level = inner ? desc_dpl(raw) : cpl(c);
    struct stack k = inner ? stack_inner_long(c, level, 0) : stack_current(c);
    k.wide = true;
    if (inner) {
        stack_require(c, &k, 8 * 4);
        stack_push(c, &k, 8, c->state.seg[SS].selector);
        stack_push(c, &k, 8, c->state.gpr[RSP]);
    }
    if (call)
        push_return(c, &k, 8);
    stack_switch(c, &k);
    set_cs(c, &cs, level, entry);
}

/* --- tasks --- */

static void transfer_task(struct cpu *c, u16 selector, u64 raw, bool call)
{
    check_gate_privilege(c, selector, raw);
    bool gate = desc_type(raw) == SYS_TASK_GATE;
    if (gate && !desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    task_switch(c, gate ? gate_selector(raw) : selector, call ? TASK_CALL : TASK_JMP, false, 0);
}

static void transfer(struct cpu *c, u16 selector, u64 offset, unsigned size, bool call)
{
    u64 rip = offset & offset_mask(size);
    if (state_real(&c->state) || state_v86(&c->state)) {
        transfer_real(c, selector, rip, size, call);
        return;
    }
    if (selector_null(selector))
        raise_error(c, VEC_GP, 0);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    if (desc_code(raw))
        transfer_code(c, selector, raw, rip, size, call);
    else if (state_long(&c->state) && desc_system_type(raw, SYS_CALL_GATE32))
        call_gate_long(c, selector, raw, call);
    else if (state_long(&c->state)) /* no tasks, nothing of 16 bits */
        raise_selector(c, VEC_GP, selector);
    else if (desc_system_type(raw, SYS_CALL_GATE16) || desc_system_type(raw, SYS_CALL_GATE32))
        call_gate(c, selector, raw, call);
    else if (desc_tss(raw) || desc_system_type(raw, SYS_TASK_GATE))
        transfer_task(c, selector, raw, call);
    else
        raise_selector(c, VEC_GP, selector);
}

void far_jump(struct cpu *c, u16 selector, u64 offset, unsigned opsize) { transfer(c, selector, offset, opsize, false); }
void far_call(struct cpu *c, u16 selector, u64 offset, unsigned opsize) { transfer(c, selector, offset, opsize, true); }

/* --- instructions: the target stands in the instruction, or in memory as offset and selector --- */

static void read_far_operand(struct cpu *c, const struct insn *i, u16 *selector, u64 *offset)
{
    if (i->op[0].kind == OPD_FAR) {
        *selector = i->imm2;
        *offset = i->imm;
        return;
    }
    u64 at = ea_offset(c, i);
    *offset = seg_read(c, i->mem.seg, at, i->opsize);
    *selector = seg_read(c, i->mem.seg, at + i->opsize, 2);
}

void exec_jmpf(struct cpu *c, const struct insn *i)
{
    u16 selector;
    u64 offset;
    read_far_operand(c, i, &selector, &offset);
    far_jump(c, selector, offset, i->opsize);
}

void exec_callf(struct cpu *c, const struct insn *i)
{
    u16 selector;
    u64 offset;
    read_far_operand(c, i, &selector, &offset);
    far_call(c, selector, offset, i->opsize);
}
