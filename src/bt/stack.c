/* SPDX-License-Identifier: MIT */
/*
 * The guest's stack. RSP holds the guest's ESP, but the host's PUSH and POP would move it by 8 and know no window: so by MOV and LEA.
 * On the flat 32-bit stack that is two instructions. Any other goes through r8 as other memory does, moves SP
 * alone where the stack segment has 16 bits, and pushes 2 or 4 bytes.
 *
 * The access comes first: if it faults, ESP is still what it was.
 */
#include "bt/maker.h"

static bool plain(const struct maker *m, unsigned size)
{
    return size == 4 && key_has_segment(m->u->key, SS) && !(m->u->key & KEY_STACK16);
}

/* r8d = (E)SP + n */
static void stack_offset(struct maker *m, s8 n)
{
    EMIT(&m->e, 0x44, 0x8d, 0x44, 0x24, (u8)n);                 /* lea r8d, [rsp + n] */
    if (m->u->key & KEY_STACK16)
        EMIT(&m->e, 0x45, 0x0f, 0xb7, 0xc0);                    /* movzx r8d, r8w */
}

static void move_stack(struct maker *m, s32 n)
{
    struct emitter *e = &m->e;
    if (!(m->u->key & KEY_STACK16)) {
        esp_plus(e, n);
        return;
    }
    EMIT(e, 0x44, 0x8d, 0x84, 0x24);                            /* lea r8d, [rsp + n] */
    emit32(e, n);
    EMIT(e, 0x66, 0x44, 0x89, 0xc4);                            /* mov sp, r8w */
}

static void stack_address(struct maker *m, s8 n, unsigned size, bool write)
{
    stack_offset(m, n);
    check_r8(m, SS, size, write);
    add_base(m, SS);
}

static void size_prefix(struct emitter *e, unsigned size)
{
    EMIT(e, 0x65, 0x67);
    if (size == 2)
        emit8(e, 0x66);
}

/* --- values --- */

void push_immediate(struct maker *m, u32 value, unsigned size)
{
    struct emitter *e = &m->e;
    if (plain(m, size)) {
        EMIT(e, 0x65, 0x67, 0xc7, 0x44, 0x24, 0xfc);            /* mov dword gs:[esp - 4], value */
    } else {
        stack_address(m, -size, size, true);
        size_prefix(e, size);
        EMIT(e, 0x41, 0xc7, 0x00);                              /* mov gs:[r8d], value */
    }
    emit_bytes(e, &value, size);
    move_stack(m, -(s32)size);
}

static void push_register(struct maker *m, u8 reg, unsigned size)
{
    struct emitter *e = &m->e;
    if (plain(m, size)) {
        EMIT(e, 0x65, 0x67, 0x89, 0x44 | reg << 3, 0x24, 0xfc); /* mov gs:[esp - 4], reg */
    } else {
        stack_address(m, -size, size, true);
        size_prefix(e, size);
        EMIT(e, 0x41, 0x89, reg << 3);                          /* mov gs:[r8d], reg */
    }
    move_stack(m, -(s32)size);
}

void push_r8(struct maker *m, unsigned size)
{
    struct emitter *e = &m->e;
    if (plain(m, size)) {
        EMIT(e, 0x65, 0x67, 0x44, 0x89, 0x44, 0x24, 0xfc);      /* mov gs:[esp - 4], r8d */
    } else {
        store_ctx(e, R8, CTX(scratch));
        stack_address(m, -size, size, true);
        load_ctx(e, R9, CTX(scratch));
        size_prefix(e, size);
        EMIT(e, 0x45, 0x89, 0x08);                              /* mov gs:[r8d], r9d */
    }
    move_stack(m, -(s32)size);
}

/* r8d = what the next pop would give */
void peek_r8(struct maker *m, unsigned size)
{
    struct emitter *e = &m->e;
    if (plain(m, size)) {
        EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);            /* mov r8d, gs:[esp] */
        return;
    }
    stack_address(m, 0, size, false);
    EMIT(e, 0x65, 0x67);
    if (size == 2)
        EMIT(e, 0x45, 0x0f, 0xb7, 0x00);                        /* movzx r8d, word gs:[r8d] */
    else
        EMIT(e, 0x45, 0x8b, 0x00);                              /* mov r8d, gs:[r8d] */
}

/* Moving SP takes r8: its value waits in memory. */
void drop_from_stack(struct maker *m, u32 bytes)
{
    bool moves_sp = m->u->key & KEY_STACK16;
    if (moves_sp)
        store_ctx(&m->e, R8, CTX(scratch));
    move_stack(m, bytes);
    if (moves_sp)
        load_ctx(&m->e, R8, CTX(scratch));
}

/* --- instructions --- */

void body_push(struct maker *m, const struct insn *i)
{
    if (i->op[0].kind == OPD_IMM) {
        push_immediate(m, i->imm, i->opsize);
    } else if (i->op[0].kind == OPD_GPR) {
        push_register(m, i->op[0].reg, i->opsize);
    } else {
        load_r8(m, i, 0, i->opsize);
        push_r8(m, i->opsize);
    }
}

static void pop_register(struct maker *m, u8 reg, unsigned size)
{
    struct emitter *e = &m->e;
    if (plain(m, size)) {
        EMIT(e, 0x65, 0x67, 0x8b, 0x04 | reg << 3, 0x24);       /* mov reg, gs:[esp] */
    } else {
        stack_address(m, 0, size, false);
        size_prefix(e, size);
        EMIT(e, 0x41, 0x8b, reg << 3);                          /* mov reg, gs:[r8d] */
    }
    if (reg != RSP)
        move_stack(m, size);
}

/* POP m only on the plain stack, directly, and without ESP in the address, which would be the new one: see pop_ok() in rules.c. */
void body_pop(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    if (i->op[0].kind == OPD_GPR) {
        pop_register(m, i->op[0].reg, i->opsize);
        return;
    }
    EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);                /* mov r8d, gs:[esp] */
    store_r8(m, i, 4);
    esp_plus(e, 4);
}

void body_leave(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x65, 0x67, 0x44, 0x8b, 0x45, 0x00);            /* mov r8d, gs:[ebp] */
    EMIT(&m->e, 0x8d, 0x65, 0x04);                              /* lea esp, [rbp + 4] */
    EMIT(&m->e, 0x44, 0x89, 0xc5);                              /* mov ebp, r8d */
}
