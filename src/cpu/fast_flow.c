/* SPDX-License-Identifier: MIT */
/* Specialised near control flow and stack instructions of flat 32-bit code. A branch ends the block: it sets RIP. */
#include "cpu/fast.h"

static inline const struct op *leave_block(struct cpu *c, const struct op *o, u32 flags, u32 rip, enum block_exit how)
{
    c->state.rip = rip;
    c->taken = how;
    c->flags = flags;
    return o + 1;
}

static inline u32 target(const struct cpu *c, const struct op *o) { return c->state.rip + o->imm; }
static inline u32 behind(const struct cpu *c, const struct op *o) { return c->state.rip + o->offset + o->len; }

#define JUMP(cc, condition)                                                                         \
    FAST(jump_##cc)                                                                                 \
    {                                                                                               \
        if (condition)                                                                              \
            return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);                              \
        return leave_block(c, o, flags, behind(c, o), EXIT_NEXT);                                   \
    }
FAST_CONDITIONS(JUMP)

FAST(loop)
{
    u32 count = c->state.gpr[RCX] - 1;
    c->state.gpr[RCX] = count;
    if (count)
        return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);
    return leave_block(c, o, flags, behind(c, o), EXIT_NEXT);
}

FAST(jump)
{
    return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);
}

FAST(jump_r)
{
    return leave_block(c, o, flags, *(u32 *)o->dst, EXIT_INDIRECT);
}

FAST(jump_m)
{
    const t32 *p = fast_memory(c, o, 4, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    return leave_block(c, o, flags, *p, EXIT_INDIRECT);
}

/* Push a value; false: the slow way. */
static inline bool push32(struct cpu *c, u32 value)
{
    u32 sp = c->state.gpr[RSP] - 4;
    t32 *p = fast_stack(c, sp, ACCESS_WRITE);
    if (unlikely(!p))
        return false;
    *p = value;
    c->state.gpr[RSP] = sp;
    return true;
}

FAST(call)
{
    if (unlikely(!push32(c, behind(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, target(c, o), EXIT_TAKEN);
}

FAST(call_r)
{
    u32 to = *(u32 *)o->dst;
    if (unlikely(!push32(c, behind(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, to, EXIT_INDIRECT);
}

FAST(call_m)
{
    const t32 *p = fast_memory(c, o, 4, ACCESS_READ);
    u32 to;
    if (unlikely(!p))
        GIVE_UP;
    to = *p;
    if (unlikely(!push32(c, behind(c, o))))
        GIVE_UP;
    return leave_block(c, o, flags, to, EXIT_INDIRECT);
}

/* RET and RET imm16, which is 0 in the former. */
FAST(ret)
{
    u32 sp = c->state.gpr[RSP];
    const t32 *p = fast_stack(c, sp, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    c->state.gpr[RSP] = (u32)(sp + 4 + o->imm);
    return leave_block(c, o, flags, *p, EXIT_INDIRECT);
}

FAST(push_r)
{
    if (unlikely(!push32(c, *(const u32 *)o->src)))
        GIVE_UP;
    NEXT;
}

FAST(push_m)
{
    const t32 *p = fast_memory(c, o, 4, ACCESS_READ);
    if (unlikely(!p || !push32(c, *p)))
        GIVE_UP;
    NEXT;
}

FAST(pop_r)
{
    u32 sp = c->state.gpr[RSP];
    const t32 *p = fast_stack(c, sp, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    c->state.gpr[RSP] = (u32)(sp + 4);
    put32(o->dst, *p);
    NEXT;
}

FAST(leave)
{
    u32 sp = c->state.gpr[RBP];
    const t32 *p = fast_stack(c, sp, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    c->state.gpr[RSP] = (u32)(sp + 4);
    c->state.gpr[RBP] = *p;
    NEXT;
}

#define JUMP_ROW(cc, condition) { MN_J##cc, FORM_REL, { NULL, NULL, jump_##cc } },
const struct fast_row fast_flow_rows[] = {
    FAST_CONDITIONS(JUMP_ROW)
    { MN_LOOP, FORM_REL, { NULL, NULL, loop } },
    { MN_JMP, FORM_REL, { NULL, NULL, jump } },
    { MN_JMP, FORM_R, { NULL, NULL, jump_r } },
    { MN_JMP, FORM_M, { NULL, NULL, jump_m } },
    { MN_CALL, FORM_REL, { NULL, NULL, call } },
    { MN_CALL, FORM_R, { NULL, NULL, call_r } },
    { MN_CALL, FORM_M, { NULL, NULL, call_m } },
    { MN_RET, FORM_NONE, { NULL, NULL, ret } },
    { MN_RET, FORM_I, { NULL, NULL, ret } },
    { MN_PUSH, FORM_R, { NULL, NULL, push_r } },
    { MN_PUSH, FORM_I, { NULL, NULL, push_r } },
    { MN_PUSH, FORM_M, { NULL, NULL, push_m } },
    { MN_POP, FORM_R, { NULL, NULL, pop_r } },
    { MN_LEAVE, FORM_NONE, { NULL, NULL, leave } },
    { 0 },
};
