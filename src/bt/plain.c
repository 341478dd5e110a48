/* SPDX-License-Identifier: MIT */
/* Instructions that are the same on the host: copied, their memory operands led through the window. */
#include "bt/maker.h"

/* There 66h is part of the opcode. */
static bool is_vector(const struct insn *i) { return i->row->isa >= ISA_FPU && i->row->isa <= ISA_SSSE3; }

/* 66h is what makes 16-bit operands on the host, whatever made them on the guest. */
void legacy_prefixes(struct emitter *e, const struct insn *i)
{
    if (i->lock)
        emit8(e, 0xf0);
    if (is_vector(i) ? i->opsize_prefix : i->opsize == 2)
        emit8(e, 0x66);
    if (i->repne)
        emit8(e, 0xf2);
    if (i->rep)
        emit8(e, 0xf3);
}

static unsigned opcode_len(const struct insn *i)
{
    unsigned end = i->modrm_off ? i->modrm_off : i->disp_size ? i->disp_off : i->imm_size ? i->imm_off : i->len;
    return end - i->opcode_off;
}

/* Same instruction, memory operand through the window: as it stood, or at r8. */
static void copy_with_memory(struct maker *m, const struct insn *i, unsigned n)
{
    struct emitter *e = &m->e;
    const u8 *opcode = i->bytes + i->opcode_off;
    bool direct = reached_directly(i, m->u->key);
    if (!direct)
        address_to_r8(m, i, n);
    EMIT(e, 0x65, 0x67);                        /* gs: with a 32-bit address: the window */
    legacy_prefixes(e, i);
    if (direct) {
        emit_bytes(e, opcode, opcode_len(i));
        if (i->modrm_off)
            modrm_memory(e, i, i->modrm >> 3);
        else
            emit_bytes(e, i->bytes + i->disp_off, i->disp_size);
    } else if (i->modrm_off) {
        emit8(e, 0x41);                         /* REX.B: [r8] */
        emit_bytes(e, opcode, opcode_len(i));
        emit8(e, i->modrm & 0x38);
    } else {                                    /* A0..A3, MOV of AL/EAX: 8A, 8B, 88, 89 with [r8] */
        EMIT(e, 0x41, 0x8a ^ (*opcode & 1) ^ (*opcode & 2), 0x00);
    }
    emit_bytes(e, i->bytes + i->imm_off, i->imm_size);
}

void body_ident(struct maker *m, const struct insn *i)
{
    for (unsigned n = 0; n < 4; n++) {
        if (i->op[n].kind == OPD_MEM) {
            copy_with_memory(m, i, n);
            return;
        }
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
    struct emitter *e = &m->e;
    if (i->adsize == 2) {
        offset_to_r8(m, i);
        legacy_prefixes(e, i);
        EMIT(e, 0x44, 0x89, 0xc0 | i->op[0].reg);       /* mov reg, r8d */
        return;
    }
    emit8(e, 0x67);
    legacy_prefixes(e, i);
    emit8(e, 0x8d);
    modrm_memory(e, i, i->modrm >> 3);
}

/* BT and its kind on memory with a register: the bit number reaches beyond the operand. The dword that holds the bit is found by address
 * arithmetic, and the instruction done in a register. One that writes stores what was there first: that may fault, and
 * the flags are still the old ones. */
void body_bit(struct maker *m, const struct insn *i)
{
    struct emitter *e = &m->e;
    bool writes = i->mnemonic != MN_BT;
    u8 bit = i->op[1].reg;
    offset_to_r8(m, i);
    add_base(m, i->mem.seg);
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
