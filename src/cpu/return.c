/* SPDX-License-Identifier: MIT */
/* The way back: RETF and IRET in all their forms (SDM vol. 2, RET, IRET; vol. 3, 5.8.6, 6.12, 6.14.3, 20.2.3). */
#include "cpu/descriptor.h"
#include "cpu/system.h"

static u32 size_mask(unsigned size) { return size == 2 ? 0xffff : 0xffffffff; }

/* Flags that may change: `writable`, cut to what the operand size reaches. */
static void write_flags(struct cpu *c, u32 value, u32 writable, unsigned size)
{
    writable &= size_mask(size);
    c->state.rflags = (c->state.rflags & ~(u64)writable) | (value & writable) | FLAG_FIXED;
}

#define FLAGS_USER (FLAG_STATUS | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID)

/* --- the code segment that is returned to; SDM vol. 2, RET --- */

static struct segment check_return_code(struct cpu *c, u16 selector)
{
    if (selector_null(selector))
        raise_error(c, VEC_GP, 0);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    unsigned rpl = selector_rpl(selector);
    bool level_ok = desc_conforming(raw) ? desc_dpl(raw) <= rpl : desc_dpl(raw) == rpl;
    if (!desc_code(raw) || rpl < cpl(c) || !level_ok)
        raise_selector(c, VEC_GP, selector);
    descriptor_check_code(c, selector, raw);
    if (!desc_present(raw))
        raise_selector(c, VEC_NP, selector);
    return descriptor_load(c, selector, raw);
}

/* The outer level's stack segment. 64-bit code needs none below ring 3. */
static struct segment check_return_stack(struct cpu *c, u16 selector, unsigned level, bool to_64)
{
    if (selector_null(selector) && to_64 && level < 3 && selector_rpl(selector) == level)
        return segment_null_stack(selector, level);
    if (selector_null(selector))
        raise_error(c, VEC_GP, 0);
    u64 raw = descriptor_fetch(c, selector, VEC_GP);
    if (selector_rpl(selector) != level || !desc_writable(raw) || desc_dpl(raw) != level)
        raise_selector(c, VEC_GP, selector);
    if (!desc_present(raw))
        raise_selector(c, VEC_SS, selector);
    return descriptor_load(c, selector, raw);
}

/* Data segments that the outer level may not use become null: else it could go on with its server's. */
static void drop_inner_segments(struct cpu *c, unsigned level)
{
    static const u8 data[] = { ES, DS, FS, GS };
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        struct segment *s = &c->state.seg[data[i]];
        bool conforming = (s->attr & (SEG_S | SEG_CODE | SEG_CONFORMING)) == (SEG_S | SEG_CODE | SEG_CONFORMING);
        if (!(s->attr & SEG_UNUSABLE) && !conforming && seg_dpl(s->attr) < level)
            *s = segment_null(0);
    }
}

/* SS:ESP as they stand `at` bytes above the top, then `extra` bytes dropped from the outer stack too. */
static void return_outer(struct cpu *c, const struct segment *cs, u64 rip, unsigned at, unsigned size, unsigned extra)
{
    unsigned level = selector_rpl(cs->selector);
    u64 rsp = stack_peek(c, at, size);
    u16 selector = stack_peek(c, at + size, size);
    bool to_64 = code_is_64(c, cs);
    struct segment ss = check_return_stack(c, selector, level, to_64);
    check_rip(c, cs, rip);
    struct stack k = { .ss = ss, .sp = rsp + extra, .wide = to_64 };
    c->state.seg[SS] = ss;
    stack_commit(c, &k); /* a 16-bit stack keeps the upper half of the inner ESP, as real processors do */
    set_cs(c, cs, level, rip);
    drop_inner_segments(c, level);
}

/* --- RETF --- */

static void far_return_real(struct cpu *c, unsigned size, u16 pop_bytes)
{
    struct cpu_state *s = &c->state;
    u32 rip = stack_peek(c, 0, size);
    u16 selector = stack_peek(c, size, size);
    struct segment cs = state_v86(s) ? segment_v86(selector) : segment_real(&s->seg[CS], selector);
    check_rip(c, &cs, rip);
    stack_drop(c, 2 * size + pop_bytes);
    s->seg[CS] = cs;
    s->rip = rip;
}

void far_return(struct cpu *c, unsigned opsize, u16 pop_bytes)
{
    if (state_real(&c->state) || state_v86(&c->state)) {
        far_return_real(c, opsize, pop_bytes);
        return;
    }
    u64 rip = stack_peek(c, 0, opsize);
    u16 selector = stack_peek(c, opsize, opsize);
    struct segment cs = check_return_code(c, selector);
    if (selector_rpl(selector) > cpl(c)) {
        return_outer(c, &cs, rip, 2 * opsize + pop_bytes, opsize, pop_bytes);
        return;
    }
    check_rip(c, &cs, rip);
    stack_drop(c, 2 * opsize + pop_bytes);
    set_cs(c, &cs, cpl(c), rip);
}

void exec_retf(struct cpu *c, const struct insn *i)
{
    far_return(c, i->opsize, i->op[0].kind == OPD_IMM ? i->imm : 0);
}

/* --- IRET --- */

/* The three values that every IRET frame begins with. */
struct frame { u64 rip; u16 cs; u32 flags; };

static struct frame peek_frame(struct cpu *c, unsigned size)
{
    return (struct frame){ .rip = stack_peek(c, 0, size), .cs = stack_peek(c, size, size), .flags = stack_peek(c, 2 * size, size) };
}

static void iret_real(struct cpu *c, unsigned size)
{
    struct frame f = peek_frame(c, size);
    struct segment cs = segment_real(&c->state.seg[CS], f.cs);
    check_rip(c, &cs, f.rip);
    stack_drop(c, 3 * size);
    c->state.seg[CS] = cs;
    c->state.rip = f.rip;
    write_flags(c, f.flags, FLAGS_USER | FLAG_IF | FLAG_IOPL, size);
}

/* Staying in virtual-8086 mode. With CR4.VME and IOPL < 3, VIF takes the place of IF (SDM vol. 3, 20.3.3.4). */
static void iret_v86(struct cpu *c, unsigned size)
{
    bool virtual_if = vme_active(c) && size == 2;
    if (iopl(c) < 3 && !virtual_if)
        raise_error(c, VEC_GP, 0);
    struct frame f = peek_frame(c, size);
    struct segment cs = segment_v86(f.cs);
    if (virtual_if && (f.flags & FLAG_TF || (f.flags & FLAG_IF && c->state.rflags & FLAG_VIP)))
        raise_error(c, VEC_GP, 0);
    check_rip(c, &cs, f.rip);
    stack_drop(c, 3 * size);
    c->state.seg[CS] = cs;
    c->state.rip = f.rip;
    write_flags(c, f.flags, virtual_if ? FLAGS_USER : FLAGS_USER | FLAG_IF, size);
    if (virtual_if)
        write_flags(c, f.flags & FLAG_IF ? FLAG_VIF : 0, FLAG_VIF, 4);
}

/* From ring 0 into virtual-8086 mode: the frame holds all of its segments (SDM vol. 3, 20.2.2). */
static void iret_to_v86(struct cpu *c, const struct frame *f)
{
    static const u8 order[] = { SS, ES, DS, FS, GS };
    struct cpu_state *s = &c->state;
    struct segment cs = segment_v86(f->cs);
    u16 selector[ARRAY_LEN(order)];
    u32 esp = stack_peek(c, 12, 4);
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        selector[i] = stack_peek(c, 16 + 4 * i, 4);
    check_rip(c, &cs, f->rip);
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        s->seg[order[i]] = segment_v86(selector[i]);
    s->seg[CS] = cs;
    s->rip = f->rip;
    s->gpr[RSP] = esp;
    write_flags(c, f->flags, FLAGS_USER | FLAG_IF | FLAG_IOPL | FLAG_VM | FLAG_VIF | FLAG_VIP, 4);
}

static u32 protected_flags(const struct cpu *c)
{
    u32 mask = FLAGS_USER;
    if (cpl(c) <= iopl(c))
        mask |= FLAG_IF;
    if (cpl(c) == 0)
        mask |= FLAG_IOPL | FLAG_VIF | FLAG_VIP;
    return mask;
}

/* To the code of the frame; SS:ESP stand there too if the level changes, or if it is 64-bit code that returns (SDM vol. 3, 6.14.3). */
static void iret_to_frame(struct cpu *c, const struct frame *f, unsigned size, u32 mask)
{
    struct segment cs = check_return_code(c, f->cs);
    if (selector_rpl(f->cs) > cpl(c) || state_code_bits(&c->state) == 64) {
        return_outer(c, &cs, f->rip, 3 * size, size, 0);
    } else {
        check_rip(c, &cs, f->rip);
        stack_drop(c, 3 * size);
        set_cs(c, &cs, cpl(c), f->rip);
    }
    write_flags(c, f->flags, mask, size);
}

static void iret_protected(struct cpu *c, unsigned size)
{
    struct frame f = peek_frame(c, size);
    if (size == 4 && f.flags & FLAG_VM && cpl(c) == 0)
        iret_to_v86(c, &f);
    else
        iret_to_frame(c, &f, size, protected_flags(c));
}

/* No tasks, no virtual-8086 mode. */
static void iret_long(struct cpu *c, unsigned size)
{
    if (c->state.rflags & FLAG_NT)
        raise_error(c, VEC_GP, 0);
    struct frame f = peek_frame(c, size);
    iret_to_frame(c, &f, size, protected_flags(c));
}

/* NT: this code was called as a task; its TSS says by whom (SDM vol. 3, 7.4). */
static void iret_task(struct cpu *c)
{
    u16 back = lin_read_system(c, (u32)c->state.tr.base, 2);
    task_switch(c, back, TASK_IRET, false, 0);
}

void interrupt_return(struct cpu *c, unsigned opsize)
{
    struct cpu_state *s = &c->state;
    if (state_real(s))
        iret_real(c, opsize);
    else if (state_v86(s))
        iret_v86(c, opsize);
    else if (state_long(s))
        iret_long(c, opsize);
    else if (s->rflags & FLAG_NT)
        iret_task(c);
    else
        iret_protected(c, opsize);
    s->nmi_blocked = 0;
    if (unlikely(c->want_nmi_window))
        cpu_kick(c);
}

void exec_iret(struct cpu *c, const struct insn *i) { interrupt_return(c, i->opsize); }
