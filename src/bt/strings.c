/* SPDX-License-Identifier: MIT */
/* String instructions: the host's own, with the window's addresses in RSI and RDI while they run. */
#include "bt/maker.h"

static bool compares(const struct insn *i) { return i->mnemonic == MN_CMPS || i->mnemonic == MN_SCAS; }

/* Bit 0: uses RSI, bit 1: uses RDI. */
static u8 string_regs(const struct insn *i)
{
    return i->mnemonic == MN_LODS ? 1 : i->mnemonic == MN_STOS || i->mnemonic == MN_SCAS ? 2 : 3;
}

/* r14 -= ecx * cycles, by as many LEAs as `cycles` has bits; but if that is more than is left, nothing, and it is the monitor's. */
static void charge_iterations(struct maker *m, u32 cycles)
{
    struct emitter *e = &m->e;
    EMIT(e, 0x49, 0x89, 0xcd, 0x49, 0xf7, 0xd5);        /* mov r13, rcx; not r13: -(ecx + 1) */
    EMIT(e, 0x4d, 0x89, 0xf0);                          /* mov r8, r14 */
    for (unsigned b = 0; b < 4; b++)
        if (cycles >> b & 1)
            EMIT(e, 0x4f, 0x8d, 0x44, 0x28 | b << 6, 1 << b);   /* lea r8, [r8 + r13 * 2^b + 2^b] */
    leave_if_negative(m, R8);
    EMIT(e, 0x4d, 0x89, 0xc6);                          /* mov r14, r8 */
}
/* r14 += rcx * cycles */
static void refund_iterations(struct emitter *e, u32 cycles)
{
    for (unsigned b = 0; b < 4; b++)
        if (cycles >> b & 1)
            EMIT(e, 0x4d, 0x8d, 0x34, 0x0e | b << 6);   /* lea r14, [r14 + rcx * 2^b] */
}

/* Long ones are the monitor's, so that a deadline is met between iterations. */
static void callout_if_long(struct emitter *e)
{
    EMIT(e, 0x41, 0x89);                                /* mov [r15 + scratch], ecx */
    emit_ctx(e, RCX, CTX(scratch));
    EMIT(e, 0x45, 0x0f, 0xb7);                          /* movzx r13d, word [r15 + scratch + 2] */
    emit_ctx(e, R13, CTX(scratch) + 2);
    callout_if_r13(e);
}

static void convert(struct emitter *e, u8 regs, u32 field, u8 rex)
{
    load_ctx(e, R8, field);
    if (regs & 1)
        EMIT(e, rex, 0x8d, 0x34, 0x06);                 /* lea rsi, [rsi + r8] */
    if (regs & 2)
        EMIT(e, rex, 0x8d, 0x3c, 0x07);                 /* lea rdi, [rdi + r8] */
}

void body_string(struct maker *m, const struct insn *i, struct insn_map *map)
{
    struct emitter *e = &m->e;
    u32 cycles = m->string_cycles;
    map->window_regs = string_regs(i);
    map->repeats = repeats(i);
    if (map->repeats) {
        callout_if_long(e);
        charge_iterations(m, cycles);
    }
    convert(e, map->window_regs, CTX(window), 0x4a);
    map->window_at = offset_of(m) - m->u->host;
    legacy_prefixes(e, i);
    emit_bytes(e, i->bytes + i->opcode_off, 1);
    convert(e, map->window_regs, CTX(minus_window), 0x42);
    if (map->repeats && compares(i))
        refund_iterations(e, cycles);
}
