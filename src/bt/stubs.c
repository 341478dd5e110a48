/* SPDX-License-Identifier: MIT */
/*
 * The two doors of the translation cache. Both are generated, so that the offsets in struct context are
 * the compiler's own and the code is reached by a 32-bit displacement from every unit.
 */
#include "bt/emit.h"

/* rbx rbp r12 r13 r14 r15: the registers that a C function must keep */
static const u8 push_saved[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
static const u8 pop_saved[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b };

/* mov r64, [r15 + field] / mov [r15 + field], r64 */
static void load(struct emitter *e, unsigned reg, u32 field) { emit8(e, 0x49 | (reg & 8) >> 1); emit8(e, 0x8b); emit_ctx(e, reg, field); }
static void store(struct emitter *e, unsigned reg, u32 field) { emit8(e, 0x49 | (reg & 8) >> 1); emit8(e, 0x89); emit_ctx(e, reg, field); }

/* Jump over what follows if the byte at `field` is zero; returns where the rel8 is to be fixed. */
static u8 *skip_if_zero(struct emitter *e, u32 field)
{
    EMIT(e, 0x41, 0x80);            /* cmp byte [r15 + field], 0 */
    emit_ctx(e, 7, field);
    emit8(e, 0);
    EMIT(e, 0x74, 0);               /* je */
    return e->p - 1;
}

/* void enter(struct context *): guest state from the context into the host's registers, and away. */
static void emit_enter(struct emitter *e)
{
    emit_bytes(e, push_saved, sizeof push_saved);
    EMIT(e, 0x49, 0x89, 0xff);      /* mov r15, rdi */
    u8 *skip = skip_if_zero(e, CTX(fpu_wanted));
    load(e, RAX, CTX(fpu));
    EMIT(e, 0x48, 0x0f, 0xae, 0x08); /* fxrstor64 [rax] */
    EMIT(e, 0x41, 0xc6);            /* mov byte [r15 + fpu_loaded], 1 */
    emit_ctx(e, 0, CTX(fpu_loaded));
    emit8(e, 1);
    *skip = e->p - skip - 1;
    store(e, RSP, CTX(host_rsp));
    load(e, R10, CTX(table));
    load(e, R11, CTX(icount));
    load(e, R12, CTX(guard));
    load(e, R14, CTX(budget));
    EMIT(e, 0x41, 0xff);            /* push qword [r15 + rflags] */
    emit_ctx(e, 6, CTX(rflags));
    EMIT(e, 0x9d);                  /* popfq */
    for (unsigned r = RAX; r <= RDI; r++)
        load(e, r, CTX(gpr[0]) + 8 * r); /* MOV leaves the flags alone; RSP now holds the guest's ESP */
    EMIT(e, 0x41, 0xff);            /* jmp [r15 + target] */
    emit_ctx(e, 4, CTX(target));
}

/* The way back: every exit jumps here with leave, eip and link already in the context. */
static void emit_leave(struct emitter *e)
{
    for (unsigned r = RAX; r <= RDI; r++)
        store(e, r, CTX(gpr[0]) + 8 * r);
    load(e, RSP, CTX(host_rsp));
    EMIT(e, 0x9c, 0x41, 0x8f);      /* pushfq; pop qword [r15 + rflags] */
    emit_ctx(e, 0, CTX(rflags));
    EMIT(e, 0xfc);                  /* cld: the C ABI wants it */
    store(e, R11, CTX(icount));
    store(e, R14, CTX(budget));
    u8 *skip = skip_if_zero(e, CTX(fpu_loaded));
    load(e, RAX, CTX(fpu));
    EMIT(e, 0x48, 0x0f, 0xae, 0x00); /* fxsave64 [rax] */
    EMIT(e, 0xdb, 0xe3);            /* fninit: an empty x87 stack, as the C ABI wants */
    EMIT(e, 0x41, 0x0f, 0xae);      /* ldmxcsr [r15 + host_mxcsr] */
    emit_ctx(e, 2, CTX(host_mxcsr));
    EMIT(e, 0x41, 0xc6);            /* mov byte [r15 + fpu_loaded], 0 */
    emit_ctx(e, 0, CTX(fpu_loaded));
    emit8(e, 0);
    *skip = e->p - skip - 1;
    emit_bytes(e, pop_saved, sizeof pop_saved);
    EMIT(e, 0xc3);
}

void stubs_emit(struct bt *b)
{
    struct emitter e = { b->code, b->code };
    b->enter = 0;
    emit_enter(&e);
    b->leave = e.p - e.start;
    emit_leave(&e);
    b->code_used = (e.p - e.start + 63) & ~63u;
}
