/* SPDX-License-Identifier: MIT */
/* Stack and control flow: guest addresses on the guest's stack, host addresses only in the jump table. */
#include "bt/maker.h"

/* The store comes first: if it faults, ESP is still what it was. */
void body_push(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    if (i->op[0].kind == OPD_IMM) {
        EMIT(e, 0x65, 0x67, 0xc7, 0x44, 0x24, 0xfc); /* mov dword gs:[esp - 4], imm32 */
        emit32(e, i->imm);
    } else if (i->op[0].kind == OPD_GPR) {
        EMIT(e, 0x65, 0x67, 0x89, 0x44 | i->op[0].reg << 3, 0x24, 0xfc);
    } else {
        load_r8(m, i, 0, 4);
        EMIT(e, 0x65, 0x67, 0x44, 0x89, 0x44, 0x24, 0xfc);
    }
    esp_plus(e, -4);
}

void body_pop(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    if (i->op[0].kind == OPD_GPR) {
        EMIT(e, 0x65, 0x67, 0x8b, 0x04 | i->op[0].reg << 3, 0x24); /* mov reg, gs:[esp] */
        if (i->op[0].reg != RSP)
            esp_plus(e, 4);
        return;
    }
    /* POP m with ESP in the address uses the new ESP: left to the monitor (see translate_one). */
    EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24); /* mov r8d, gs:[esp] */
    EMIT(e, 0x65, 0x67, 0x44, 0x89);            /* mov gs:[address], r8d */
    modrm_memory(e, i, 0);
    esp_plus(e, 4);
}

void body_leave(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x65, 0x67, 0x44, 0x8b, 0x45, 0x00);    /* mov r8d, gs:[ebp] */
    EMIT(&m->e, 0x8d, 0x65, 0x04);                      /* lea esp, [rbp + 4] */
    EMIT(&m->e, 0x44, 0x89, 0xc5);                      /* mov ebp, r8d */
}

static u32 target_of(const struct insn *i, u32 next) { return next + (u32)i->imm; }

void body_call(struct maker *m, const struct insn *i, u32 next)
{
    struct emitter *e = &m->e;
    bool direct = i->op[0].kind == OPD_REL;
    if (!direct)
        load_r8(m, i, 0, 4);
    EMIT(e, 0x65, 0x67, 0xc7, 0x44, 0x24, 0xfc);        /* mov dword gs:[esp - 4], return address */
    emit32(e, next);
    esp_plus(e, -4);
    if (direct)
        exit_to(m, 0, target_of(i, next));
    else
        jump_indirect(m);
}

void body_ret(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);    /* mov r8d, gs:[esp] */
    esp_plus(&m->e, 4 + (i->op[0].kind == OPD_IMM ? (u16)i->imm : 0));
    jump_indirect(m);
}

void body_jmp(struct maker *m, const struct insn *i, u32 next)
{
    if (i->op[0].kind == OPD_REL) {
        exit_to(m, 0, target_of(i, next));
        return;
    }
    load_r8(m, i, 0, 4);
    jump_indirect(m);
}

void body_jcc(struct maker *m, const struct insn *i, u32 next)
{
    EMIT(&m->e, 0x0f, 0x80 | (i->mnemonic - MN_JO));
    u32 site = offset_of(m);
    emit32(&m->e, 0);
    exit_to(m, 0, next);
    exit_to(m, site, target_of(i, next));
}

/* LOOP and JECXZ have only a short form: over a jump of our own. */
void body_loop(struct maker *m, const struct insn *i, u32 next)
{
    EMIT(&m->e, 0x67, i->bytes[i->opcode_off], 5);      /* taken: over the next jump */
    emit8(&m->e, 0xe9);
    u32 site = offset_of(m);
    emit32(&m->e, 0);
    exit_to(m, 0, target_of(i, next));
    exit_to(m, site, next);
}
