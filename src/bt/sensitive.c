/* SPDX-License-Identifier: MIT */
/* Sensitive instructions of kernel code, emulated in the cache on virtual state (ASPLOS 2006, 3.2). */
#include "bt/maker.h"

/* LEA adds without touching the flags. */
void count_in_cache(struct maker *m, enum in_cache what)
{
    load_ctx(&m->e, R8, CTX(in_cache[0]) + 8 * what);
    EMIT(&m->e, 0x4d, 0x8d, 0x40, 0x01);                /* lea r8, [r8 + 1] */
    store_ctx(&m->e, R8, CTX(in_cache[0]) + 8 * what);
}

static void callout_if_interrupt_waits(struct emitter *e)
{
    EMIT(e, 0x45, 0x0f, 0xb6);                          /* movzx r13d, byte [r15 + interrupt_waits] */
    emit_ctx(e, R13, CTX(interrupt_waits));
    callout_if_r13(e);
}

static void set_interrupt_flag(struct emitter *e, u16 value)
{
    EMIT(e, 0x66, 0x41, 0xc7);                          /* mov word [r15 + interrupt_flag], value */
    emit_ctx(e, 0, CTX(interrupt_flag));
    EMIT(e, value & 0xff, value >> 8);
}

void body_cli(struct maker *m)
{
    set_interrupt_flag(&m->e, 0);
    count_in_cache(m, IN_CACHE_FLAGS);
}

void body_sti(struct maker *m)
{
    callout_if_interrupt_waits(&m->e);
    set_interrupt_flag(&m->e, FLAG_IF);
    count_in_cache(m, IN_CACHE_FLAGS);
}

/* The monitor's stack for a moment: PUSHFQ and POPFQ are the only ways to all flags at once. */
static void to_host_stack(struct emitter *e)
{
    store_ctx(e, RSP, CTX(scratch));
    load_ctx(e, RSP, CTX(host_rsp));
}
static void to_guest_stack(struct emitter *e) { load_ctx(e, RSP, CTX(scratch)); }

/* Arithmetic flags are the host's, IF and the other system flags virtual: this is what PUSHF in ring 1 or 3 would get wrong. */
void body_pushf(struct maker *m)
{
    struct emitter *e = &m->e;
    to_host_stack(e);
    EMIT(e, 0x9c, 0x41, 0x59);                          /* pushfq; pop r9 */
    to_guest_stack(e);
    EMIT(e, 0x4d, 0x8d, 0x89);                          /* lea r9, [r9 - IF]: the host's own is always set */
    emit32(e, -FLAG_IF);
    EMIT(e, 0x45, 0x0f, 0xb7);                          /* movzx r8d, word [r15 + interrupt_flag] */
    emit_ctx(e, R8, CTX(interrupt_flag));
    EMIT(e, 0x4f, 0x8d, 0x0c, 0x01);                    /* lea r9, [r9 + r8] */
    EMIT(e, 0x45, 0x8b);                                /* mov r8d, [r15 + system_flags] */
    emit_ctx(e, R8, CTX(system_flags));
    EMIT(e, 0x4f, 0x8d, 0x0c, 0x01);                    /* lea r9, [r9 + r8] */
    EMIT(e, 0x65, 0x67, 0x44, 0x89, 0x4c, 0x24, 0xfc);  /* mov gs:[esp - 4], r9d */
    esp_plus(e, -4);
    count_in_cache(m, IN_CACHE_FLAGS);
}

/* The flags in force are about to be replaced, so from the load on they may be used. */
void body_popf(struct maker *m)
{
    struct emitter *e = &m->e;
    EMIT(e, 0x65, 0x67, 0x44, 0x8b, 0x04, 0x24);        /* mov r8d, gs:[esp] */
    callout_if_interrupt_waits(e);
    EMIT(e, 0x41, 0xf7, 0xc0);                          /* test r8d, TF | DF: single step, other translations */
    emit32(e, FLAG_TF | FLAG_DF);
    EMIT(e, 0x41, 0x0f, 0x95, 0xc5);                    /* setne r13b */
    EMIT(e, 0x45, 0x0f, 0xb6, 0xed);                    /* movzx r13d, r13b */
    callout_if_r13(e);
    EMIT(e, 0x45, 0x89, 0xc1, 0x41, 0x81, 0xe1);        /* mov r9d, r8d; and r9d, IF */
    emit32(e, FLAG_IF);
    EMIT(e, 0x66, 0x45, 0x89);                          /* mov [r15 + interrupt_flag], r9w */
    emit_ctx(e, R9, CTX(interrupt_flag));
    EMIT(e, 0x45, 0x89, 0xc1, 0x41, 0x81, 0xe1);        /* mov r9d, r8d; and r9d, ... */
    emit32(e, FLAG_IOPL | FLAG_NT | FLAG_AC | FLAG_ID);
    EMIT(e, 0x45, 0x89);                                /* mov [r15 + system_flags], r9d */
    emit_ctx(e, R9, CTX(system_flags));
    load_ctx(e, R9, CTX(in_cache[IN_CACHE_FLAGS]));
    EMIT(e, 0x4d, 0x8d, 0x49, 0x01);                    /* lea r9, [r9 + 1] */
    store_ctx(e, R9, CTX(in_cache[IN_CACHE_FLAGS]));
    EMIT(e, 0x41, 0x81, 0xe0);                          /* and r8d, arithmetic flags */
    emit32(e, FLAG_STATUS);
    EMIT(e, 0x41, 0x81, 0xc8);                          /* or r8d, the host's own */
    emit32(e, FLAG_FIXED | FLAG_IF);
    to_host_stack(e);
    EMIT(e, 0x41, 0x50, 0x9d);                          /* push r8; popfq */
    to_guest_stack(e);
    esp_plus(e, 4);
}

void body_read_cr(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x41, 0x8b);                            /* mov reg, [r15 + cr[n]] */
    emit_ctx(&m->e, i->op[0].reg, CTX(cr[0]) + 4 * i->op[1].reg);
    count_in_cache(m, IN_CACHE_CR);
}

/* The low half of CR0, or all of it into a 32-bit register: what a program in ring 3 would see of the host's own. */
void body_smsw(struct maker *m, const struct insn *i)
{
    EMIT(&m->e, 0x45, 0x8b);                            /* mov r8d, [r15 + cr[0]] */
    emit_ctx(&m->e, R8, CTX(cr[0]));
    if (i->op[0].kind == OPD_MEM)
        store_r8(m, i, 2);
    else
        move_r8(m, i->op[0].reg, i->opsize);
    count_in_cache(m, IN_CACHE_CR);
}

/* TSC = tsc_end - cycles left, as of this instruction: the unit has paid for the rest of itself already. */
void body_rdtsc(struct maker *m, const struct insn_map *map)
{
    struct emitter *e = &m->e;
    load_ctx(e, R8, CTX(tsc_end));
    EMIT(e, 0x4d, 0x89, 0xf5, 0x49, 0xf7, 0xd5);        /* mov r13, r14; not r13 */
    EMIT(e, 0x4f, 0x8d, 0x84, 0x28);                    /* lea r8, [r8 + r13 + 1 - rest] */
    emit32(e, 1 - (m->u->cycles - map->cycles));
    store_ctx(e, R8, CTX(scratch));
    EMIT(e, 0x41, 0x8b);                                /* mov eax, [r15 + scratch] */
    emit_ctx(e, RAX, CTX(scratch));
    EMIT(e, 0x41, 0x8b);                                /* mov edx, [r15 + scratch + 4] */
    emit_ctx(e, RDX, CTX(scratch) + 4);
    count_in_cache(m, IN_CACHE_RDTSC);
}
