/* SPDX-License-Identifier: MIT */
/* Specialised near control flow and stack instructions of flat 32-bit code, and of 64-bit code. A branch ends the block: it sets RIP. */
#include "cpu/fast.h"

static inline const struct op *leave_block(struct cpu *c, const struct op *o, u32 flags, fast_word rip, enum block_exit how)
{
    c->state.rip = rip;
    c->taken = how;
    c->flags = flags;
    return o + 1;
}

/* Where no code can be, it is the branch that faults: the handler's business. */
static inline bool lawful(fast_word rip)
{
    IF_WIDE(return gva_canonical(rip);)
    return true;
}

static inline fast_word target(const struct cpu *c, const struct op *o) { return c->state.rip + (s32)o->imm; }
static inline fast_word behind(const struct cpu *c, const struct op *o) { return c->state.rip + o->offset + o->len; }

#define JUMP(cc, condition)                                                                         \
    FAST(jump_##cc)                                                                                 \
    {                                                                                               \
        if (condition) {                                                                            \
            if (unlikely(!lawful(target(c, o))))                                                    \
                GIVE_UP;                                                                            \
            return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);                              \
        }                                                                                           \
        return leave_block(c, o, flags, behind(c, o), EXIT_NEXT);                                   \
    }
FAST_CONDITIONS(JUMP)

FAST(loop)
{
    fast_word count = c->state.gpr[RCX] - 1;
    if (unlikely(!lawful(target(c, o))))
        GIVE_UP;
    c->state.gpr[RCX] = count;
    if (count)
        return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);
    return leave_block(c, o, flags, behind(c, o), EXIT_NEXT);
}

FAST(jump)
{
    if (unlikely(!lawful(target(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);
}

FAST(jump_r)
{
    fast_word to = *(fast_word *)o->dst;
    if (unlikely(!lawful(to)))
        GIVE_UP;
    return leave_block(c, o, flags, to, EXIT_INDIRECT);
}

FAST(jump_m)
{
    const fast_mem *p = fast_memory(c, o, sizeof *p, ACCESS_READ);
    if (unlikely(!p || !lawful(*p)))
        GIVE_UP;
    return leave_block(c, o, flags, *p, EXIT_INDIRECT);
}

/* Push a value; false: the slow way. */
static inline bool push_word(struct cpu *c, fast_word value)
{
    fast_word sp = c->state.gpr[RSP] - sizeof value;
    fast_mem *p = fast_stack(c, sp, ACCESS_WRITE);
    if (unlikely(!p))
        return false;
    *p = value;
    c->state.gpr[RSP] = sp;
    return true;
}

FAST(call)
{
    if (unlikely(!lawful(target(c, o)) || !push_word(c, behind(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);
}

FAST(call_r)
{
    fast_word to = *(fast_word *)o->dst;
    if (unlikely(!lawful(to) || !push_word(c, behind(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, to, EXIT_INDIRECT);
}

FAST(call_m)
{
    const fast_mem *p = fast_memory(c, o, sizeof *p, ACCESS_READ);
    fast_word to;
    if (unlikely(!p))
        GIVE_UP;
    to = *p;
    if (unlikely(!lawful(to) || !push_word(c, behind(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, to, EXIT_INDIRECT);
}

/* RET and RET imm16, which is 0 in the former. */
FAST(ret)
{
    fast_word sp = c->state.gpr[RSP];
    const fast_mem *p = fast_stack(c, sp, ACCESS_READ);
    if (unlikely(!p || !lawful(*p)))
        GIVE_UP;
    c->state.gpr[RSP] = (fast_word)(sp + sizeof *p + o->imm);
    return leave_block(c, o, flags, *p, EXIT_INDIRECT);
}

FAST(push_r)
{
    if (unlikely(!push_word(c, *(const fast_word *)o->src)))
        GIVE_UP;
    NEXT;
}

FAST(push_m)
{
    const fast_mem *p = fast_memory(c, o, sizeof *p, ACCESS_READ);
    if (unlikely(!p || !push_word(c, *p)))
        GIVE_UP;
    NEXT;
}

FAST(pop_r)
{
    fast_word sp = c->state.gpr[RSP];
    const fast_mem *p = fast_stack(c, sp, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    c->state.gpr[RSP] = (fast_word)(sp + sizeof *p);
    put64(o->dst, *p);
    NEXT;
}

FAST(leave)
{
    fast_word sp = c->state.gpr[RBP];
    const fast_mem *p = fast_stack(c, sp, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    c->state.gpr[RSP] = (fast_word)(sp + sizeof *p);
    c->state.gpr[RBP] = *p;
    NEXT;
}

#ifdef FAST_WIDE
#define WORD(fn) { [3] = fn }
#else
#define WORD(fn) { [2] = fn }
#endif
#define JUMP_ROW(cc, condition) { MN_J##cc, FORM_REL, WORD(jump_##cc) },
const struct fast_row FAST_ROWS(fast_flow_rows)[] = {
    FAST_CONDITIONS(JUMP_ROW)
    { MN_LOOP, FORM_REL, WORD(loop) },
    { MN_JMP, FORM_REL, WORD(jump) },
    { MN_JMP, FORM_R, WORD(jump_r) },
    { MN_JMP, FORM_M, WORD(jump_m) },
    { MN_CALL, FORM_REL, WORD(call) },
    { MN_CALL, FORM_R, WORD(call_r) },
    { MN_CALL, FORM_M, WORD(call_m) },
    { MN_RET, FORM_NONE, WORD(ret) },
    { MN_RET, FORM_I, WORD(ret) },
    { MN_PUSH, FORM_R, WORD(push_r) },
    { MN_PUSH, FORM_I, WORD(push_r) },
    { MN_PUSH, FORM_M, WORD(push_m) },
    { MN_POP, FORM_R, WORD(pop_r) },
    { MN_LEAVE, FORM_NONE, WORD(leave) },
    { 0 },
};
