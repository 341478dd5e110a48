/* SPDX-License-Identifier: MIT */
/* Instructions that are the same on the host: copied, their memory operands led through the window. */
#include "bt/maker.h"

/* The memory operand for the window: ModRM as it was, with that reg field. 64-bit mode reads mod=0 rm=5 as
 * RIP-relative: the form with a SIB byte is absolute there too. */
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

/* r8d = offset + segment base, for FS and GS. */
void address_in_segment(struct emitter *e, const struct insn *i)
{
    if (i->modrm_off) {
        EMIT(e, 0x67, 0x44, 0x8d);              /* lea r8d, [address] */
        modrm_memory(e, i, 0);
    } else {
        mov_r8d_imm(e, i->mem.disp);            /* MOV with an offset alone */
    }
    EMIT(e, 0x45, 0x8b);                        /* mov r9d, [r15 + base] */
    emit_ctx(e, R9, i->mem.seg == FS ? CTX(fs_base) : CTX(gs_base));
    EMIT(e, 0x47, 0x8d, 0x04, 0x08);            /* lea r8d, [r8 + r9] */
}

void legacy_prefixes(struct emitter *e, const struct insn *i)
{
    if (i->lock)
        emit8(e, 0xf0);
    if (i->opsize_prefix)
        emit8(e, 0x66);
    if (i->repne)
        emit8(e, 0xf2);
    if (i->rep)
        emit8(e, 0xf3);
}

bool has_memory(const struct insn *i)
{
    for (int n = 0; n < 4; n++)
        if (i->op[n].kind == OPD_MEM)
            return true;
    return false;
}

static unsigned opcode_len(const struct insn *i)
{
    unsigned end = i->modrm_off ? i->modrm_off : i->disp_size ? i->disp_off : i->imm_size ? i->imm_off : i->len;
    return end - i->opcode_off;
}

/* Same instruction, memory operand through the window. `opcode` may stand in for the guest's own. */
static void copy_with_memory(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    const u8 *opcode = i->bytes + i->opcode_off;
    unsigned n = opcode_len(i);
    if (through_segment(i))
        address_in_segment(e, i);
    EMIT(e, 0x65, 0x67);                        /* gs: with a 32-bit address: the window */
    legacy_prefixes(e, i);
    if (!through_segment(i)) {
        emit_bytes(e, opcode, n);
        if (i->modrm_off)
            modrm_memory(e, i, i->modrm >> 3);
        else
            emit_bytes(e, i->bytes + i->disp_off, i->disp_size);
    } else if (i->modrm_off) {
        emit8(e, 0x41);                         /* REX.B: [r8] */
        emit_bytes(e, opcode, n);
        emit8(e, i->modrm & 0x38);
    } else {                                    /* A0..A3, MOV of AL/EAX: 8A, 8B, 88, 89 with [r8] */
        EMIT(e, 0x41, 0x8a ^ (*opcode & 1) ^ (*opcode & 2), 0x00);
    }
    emit_bytes(e, i->bytes + i->imm_off, i->imm_size);
}

void body_ident(struct maker *m, const struct insn *i)
{
    if (has_memory(i)) {
        copy_with_memory(m, i);
        return;
    }
    legacy_prefixes(&m->e, i);
    emit_bytes(&m->e, i->bytes + i->opcode_off, i->len - i->opcode_off);
}

void body_incdec(struct maker *m, const struct insn *i)
{
    u8 op = i->bytes[i->opcode_off];
    if (op < 0x40 || op > 0x4f) {
        body_ident(m, i);
        return;
    }
    legacy_prefixes(&m->e, i);
    EMIT(&m->e, 0xff, 0xc0 | (op & 0x0f));      /* FF /0 inc, FF /1 dec: the low four bits are the same */
}

void body_lea(struct maker *m, const struct insn *i)
{
    emit8(&m->e, 0x67);
    legacy_prefixes(&m->e, i);
    emit8(&m->e, 0x8d);
    modrm_memory(&m->e, i, i->modrm >> 3);
}

/* BT and its kind on memory with a register: the bit number reaches beyond the operand. The dword that holds the bit is found by address
 * arithmetic, and the instruction done in a register. One that writes stores what was there first: that may fault, and
 * the flags are still the old ones. */
void body_bit(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    bool writes = i->mnemonic != MN_BT;
    u8 bit = i->op[1].reg;
    if (through_segment(i)) {
        address_in_segment(e, i);
    } else {
        EMIT(e, 0x67, 0x44, 0x8d);                      /* lea r8d, [address] */
        modrm_memory(e, i, 0);
    }
    EMIT(e, 0x41, 0xb9, 5, 0, 0, 0);                    /* mov r9d, 5 */
    EMIT(e, 0xc4, 0x62, 0x32, 0xf7, 0xe8 | bit);        /* sarx r13d, reg, r9d */
    EMIT(e, 0x47, 0x8d, 0x04, 0xa8);                    /* lea r8d, [r8 + r13*4] */
    EMIT(e, 0x65, 0x67, 0x45, 0x8b, 0x08);              /* mov r9d, gs:[r8d] */
    if (writes)
        EMIT(e, 0x65, 0x67, 0x45, 0x89, 0x08);          /* mov gs:[r8d], r9d */
    EMIT(e, 0x41, 0x0f, 0xa3 + 8 * (i->mnemonic - MN_BT), 0xc1 | bit << 3); /* bt r9d, reg: modulo 32 */
    if (writes)
        EMIT(e, 0x65, 0x67, 0x45, 0x89, 0x08);
}

/* --- an operand through r8 --- */

/* The memory operand as it follows an opcode with r8 in its reg field: [address], or [r8] after address_in_segment(). */
static void r8_and_memory(struct emitter *e, const struct insn *i, const u8 *opcode, unsigned n)
{
    emit8(e, through_segment(i) ? 0x45 : 0x44);
    emit_bytes(e, opcode, n);
    if (through_segment(i))
        emit8(e, 0x00);
    else
        modrm_memory(e, i, 0);
}

void load_r8(struct maker *m, const struct insn *i, unsigned n, unsigned size)
{
    struct emitter *e = &m->e;
    const struct operand *o = &i->op[n];
    if (o->kind == OPD_GPR) {
        EMIT(e, 0x41, 0x89, 0xc0 | o->reg << 3);        /* mov r8d, reg: who wants 16 bits looks at no more */
        return;
    }
    if (through_segment(i))
        address_in_segment(e, i);
    EMIT(e, 0x65, 0x67);
    if (size == 2)
        r8_and_memory(e, i, (const u8[]){ 0x0f, 0xb7 }, 2);
    else
        r8_and_memory(e, i, (const u8[]){ 0x8b }, 1);
}

/* Not through FS or GS: their base goes through r8 itself. */
void store_r8(struct maker *m, const struct insn *i, unsigned size)
{
    EMIT(&m->e, 0x65, 0x67);
    if (size == 2)
        emit8(&m->e, 0x66);
    r8_and_memory(&m->e, i, (const u8[]){ 0x89 }, 1);
}
