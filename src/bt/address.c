/* SPDX-License-Identifier: MIT */
/*
 * Memory operands. In a flat segment with 32-bit addresses the operand stands as the guest wrote it, with two prefixes that
 * lead it through the window: most code of most kernels. All other operands go through r8:
 *
 *     offset    LEA; 16 bits of it where the address size is 16
 *     limit     room - offset - size must not be below zero; otherwise the guard faults and the interpreter looks
 *     base      added, modulo 4 GiB
 *
 * Limits and bases are read at run time (struct segments), so that one translation serves every value of a segment register
 * but for the code segment's.
 */
#include "bt/maker.h"

static bool direct(const struct maker *m, const struct insn *i) { return reached_directly(i, m->u->key); }

/* ModRM as it was, with that reg field. 64-bit mode reads mod=0 rm=5 as RIP-relative: the form with a SIB byte is absolute there too. */
void modrm_memory(struct emitter *e, const struct insn *i, unsigned reg)
{
    u8 modrm = (i->modrm & 0xc7) | (reg & 7) << 3;
    if ((i->modrm & 0xc7) == 0x05) {
        EMIT(e, (modrm & 0xf8) | 4, 0x25);
    } else {
        emit8(e, modrm);
        if (i->sib_off)
            emit8(e, i->bytes[i->sib_off]);
    }
    emit_bytes(e, i->bytes + i->disp_off, i->disp_size);
}

/* r8d = the low 16 bits of base + index + displacement: the forms of 16-bit addressing are no ModRM of 64-bit mode. */
static void offset_16(struct emitter *e, const struct insn *i)
{
    static const u8 none = 4;                   /* as an index */
    u8 base = i->mem.base >= 0 ? i->mem.base : 5, index = i->mem.index >= 0 ? i->mem.index : none;
    EMIT(e, 0x44, 0x8d, i->mem.base >= 0 ? 0x84 : 0x04, index << 3 | base); /* lea r8d, [base + index + disp32] */
    emit32(e, i->mem.disp);
    EMIT(e, 0x45, 0x0f, 0xb7, 0xc0);            /* movzx r8d, r8w */
}

void offset_to_r8(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    if (!i->modrm_off) {
        mov_r8d_imm(e, i->mem.disp);            /* MOV with an offset alone */
    } else if (i->adsize == 2) {
        offset_16(e, i);
    } else {
        EMIT(e, 0x67, 0x44, 0x8d);              /* lea r8d, [address] */
        modrm_memory(e, i, 0);
    }
}

void check_r8(struct maker *m, unsigned seg, unsigned size, bool write)
{
    struct emitter *e = &m->e;
    if (key_has_segment(m->u->key, seg) && seg != CS)
        return;
    load_ctx(e, R9, CTX(segments));
    EMIT(e, 0x4d, 0x8b, 0x89);                  /* mov r9, [r9 + room] */
    emit32(e, SEGMENTS(room[0][0]) + (write * SREG_COUNT + seg) * sizeof(s64));
    EMIT(e, 0x4d, 0x89, 0xc5, 0x49, 0xf7, 0xd5); /* mov r13, r8; not r13: -(offset + 1) */
    EMIT(e, 0x4f, 0x8d, 0xac, 0x0d);            /* lea r13, [r13 + r9 + 1 - size] */
    emit32(e, 1 - size);
    leave_if_negative(m, R13);
}

void add_base(struct maker *m, unsigned seg)
{
    struct emitter *e = &m->e;
    if (seg < FS && key_has_segment(m->u->key, seg))
        return;
    EMIT(e, 0x45, 0x8b);                        /* mov r9d, [r15 + base] */
    emit_ctx(e, R9, CTX(seg_base[0]) + seg * sizeof(u32));
    EMIT(e, 0x47, 0x8d, 0x04, 0x08);            /* lea r8d, [r8 + r9] */
}

/* A first operand in memory is taken for one that is written: where that is wrong the interpreter knows better. */
void address_to_r8(struct maker *m, const struct insn *i, unsigned n)
{
    bool reads = i->mnemonic == MN_CMP || i->mnemonic == MN_TEST || i->mnemonic == MN_PUSH || i->mnemonic == MN_CALL || i->mnemonic == MN_JMP;
    offset_to_r8(m, i);
    check_r8(m, i->mem.seg, i->op[n].size, n == 0 && !reads);
    add_base(m, i->mem.seg);
}

/* --- an operand through r8 --- */

/* What follows the prefixes: an opcode with r8 in its reg field, and [address], or [r8] after address_to_r8(). */
static void r8_and_memory(struct maker *m, const struct insn *i, const u8 *opcode, unsigned n)
{
    emit8(&m->e, direct(m, i) ? 0x44 : 0x45);
    emit_bytes(&m->e, opcode, n);
    if (direct(m, i))
        modrm_memory(&m->e, i, 0);
    else
        emit8(&m->e, 0x00);
}

void load_r8(struct maker *m, const struct insn *i, unsigned n, unsigned size)
{
    struct emitter *e = &m->e;
    const struct operand *o = &i->op[n];
    if (o->kind == OPD_GPR) {
        if (size == 2)
            EMIT(e, 0x44, 0x0f, 0xb7, 0xc0 | o->reg);   /* movzx r8d, reg16 */
        else
            EMIT(e, 0x41, 0x89, 0xc0 | o->reg << 3);    /* mov r8d, reg */
        return;
    }
    if (!direct(m, i))
        address_to_r8(m, i, n);
    EMIT(e, 0x65, 0x67);
    if (size == 2)
        r8_and_memory(m, i, (const u8[]){ 0x0f, 0xb7 }, 2);
    else
        r8_and_memory(m, i, (const u8[]){ 0x8b }, 1);
}

void move_r8(struct maker *m, u8 reg, unsigned size)
{
    if (size == 2)
        emit8(&m->e, 0x66);
    EMIT(&m->e, 0x44, 0x89, 0xc0 | reg);                /* mov reg, r8d or r8w */
}

void store_r8(struct maker *m, const struct insn *i, unsigned size)
{
    EMIT(&m->e, 0x65, 0x67);
    if (size == 2)
        emit8(&m->e, 0x66);
    r8_and_memory(m, i, (const u8[]){ 0x89 }, 1);
}
