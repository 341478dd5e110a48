/* SPDX-License-Identifier: MIT */
/* Control flow: guest addresses on the guest's stack, host addresses only in the jump table. */
#include "bt/maker.h"

u32 target_of(const struct maker *m, const struct insn *i, u32 next)
{
    u32 eip = next - m->code_base + (u32)i->imm;
    return m->code_base + (i->opsize == 2 ? eip & 0xffff : eip);
}

/* r8d is an EIP: within the code segment? Its linear address, then. */
static void check_target(struct maker *m)
{
    if (m->u->key / KEY_CS)
        check_r8(m, CS, 1, false);
}
static void jump_to_target(struct maker *m)
{
    if (m->code_base) {
        EMIT(&m->e, 0x45, 0x8d, 0x80);                  /* lea r8d, [r8 + code base] */
        emit32(&m->e, m->code_base);
    }
    jump_indirect(m);
}

/* The target is read and checked before the return address goes onto the stack. */
static void call_indirect(struct maker *m, const struct insn *i, u32 next)
{
    load_r8(m, i, 0, i->opsize);
    check_target(m);
    store_ctx(&m->e, R8, CTX(target));
    push_immediate(m, next - m->code_base, i->opsize);
    load_ctx(&m->e, R8, CTX(target));
    jump_to_target(m);
}

void body_call(struct maker *m, const struct insn *i, u32 next)
{
    if (i->op[0].kind != OPD_REL) {
        call_indirect(m, i, next);
        return;
    }
    push_immediate(m, next - m->code_base, i->opsize);
    exit_to(m, 0, target_of(m, i, next));
}

void body_ret(struct maker *m, const struct insn *i)
{
    peek_r8(m, i->opsize);
    check_target(m);
    drop_from_stack(m, i->opsize + (i->op[0].kind == OPD_IMM ? (u16)i->imm : 0));
    jump_to_target(m);
}

void body_jmp(struct maker *m, const struct insn *i, u32 next)
{
    if (i->op[0].kind == OPD_REL) {
        exit_to(m, 0, target_of(m, i, next));
        return;
    }
    load_r8(m, i, 0, i->opsize);
    check_target(m);
    jump_to_target(m);
}

static void round_exits(struct maker *m)
{
    for (unsigned k = 0; k < m->nround_exits; k++) {
        unsigned n = m->round_exit[k].n;
        u32 site = m->round_exit[k].site, rel = offset_of(m) - (site + 4);
        memcpy(m->bt->code + site, &rel, 4);
        uncharge(m, m->u->cycles - m->u->map[n].cycles, m->u->ncounted - n);
        emit8(&m->e, 0xe9);
        emit32(&m->e, m->fall_through - (offset_of(m) + 4));
    }
}

void body_jcc(struct maker *m, const struct insn *i, u32 next)
{
    EMIT(&m->e, 0x0f, 0x80 | (i->mnemonic - MN_JO));
    u32 site = offset_of(m);
    emit32(&m->e, 0);
    m->fall_through = offset_of(m);
    exit_to(m, 0, next);
    exit_to(m, site, target_of(m, i, next));
    round_exits(m);
}

/* The loop goes on in the next copy of its body; where it ends, what the unit charged for the copies behind is given back. */
void body_jcc_round(struct maker *m, const struct insn *i, unsigned n)
{
    EMIT(&m->e, 0x0f, 0x80 | ((i->mnemonic - MN_JO) ^ 1)); /* the opposite condition */
    m->round_exit[m->nround_exits].site = offset_of(m);
    m->round_exit[m->nround_exits++].n = n + 1;
    emit32(&m->e, 0);
}

/* LOOP and JECXZ have only a short form: over a jump of our own. */
void body_loop(struct maker *m, const struct insn *i, u32 next)
{
    EMIT(&m->e, 0x67, i->bytes[i->opcode_off], 5);      /* taken: over the next jump */
    emit8(&m->e, 0xe9);
    u32 site = offset_of(m);
    emit32(&m->e, 0);
    exit_to(m, 0, target_of(m, i, next));
    exit_to(m, site, next);
}
