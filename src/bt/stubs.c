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

static u64 hva_of(const struct bt *b, u32 offset) { return (u64)b->exec + offset; }

static void store_byte(struct emitter *e, u32 field, u8 value)
{
    EMIT(e, 0x41, 0xc6);            /* mov byte [r15 + field], value */
    emit_ctx(e, 0, field);
    emit8(e, value);
}

/* The gate leads there from now on. Uses r8. */
static void set_gate(struct emitter *e, u64 hva)
{
    EMIT(e, 0x41, 0xb8);            /* mov r8d, hva: the cache lies below 4 GiB */
    emit32(e, hva);
    store(e, R8, CTX(fpu_gate));
}

/* void enter(struct context *): guest state from the context into the host's registers, and away. */
static void emit_enter(struct emitter *e)
{
    emit_bytes(e, push_saved, sizeof push_saved);
    EMIT(e, 0x49, 0x89, 0xff);      /* mov r15, rdi */
    store(e, RSP, CTX(host_rsp));
    load(e, R10, CTX(directory));
    load(e, R11, CTX(icount));
    load(e, R12, CTX(guard));
    load(e, R14, CTX(budget));
    EMIT(e, 0x41, 0x0f, 0xb7);      /* movzx eax, word [r15 + flags] */
    emit_ctx(e, RAX, CTX(flags));
    EMIT(e, 0x04, 0x7f, 0x9e);      /* add al, 7Fh: OF if it was 1; sahf */
    for (unsigned r = RAX; r <= RDI; r++)
        load(e, r, CTX(gpr[0]) + 8 * r); /* MOV leaves the flags alone; RSP now holds the guest's ESP */
    EMIT(e, 0x41, 0xff);            /* jmp [r15 + target] */
    emit_ctx(e, 4, CTX(target));
}

/* The x87, MMX and SSE state, if it was loaded. */
static void emit_save_fpu(struct bt *b, struct emitter *e)
{
    EMIT(e, 0x41, 0x80);            /* cmp byte [r15 + fpu_loaded], 0 */
    emit_ctx(e, 7, CTX(fpu_loaded));
    EMIT(e, 0, 0x74, 0);            /* je */
    u8 *skip = e->p - 1;
    load(e, RAX, CTX(fpu));
    EMIT(e, 0x48, 0x0f, 0xae, 0x00); /* fxsave64 [rax] */
    EMIT(e, 0xdb, 0xe3);            /* fninit: an empty x87 stack, as the C ABI wants */
    EMIT(e, 0x41, 0x0f, 0xae);      /* ldmxcsr [r15 + host_mxcsr] */
    emit_ctx(e, 2, CTX(host_mxcsr));
    store_byte(e, CTX(fpu_loaded), 0);
    set_gate(e, hva_of(b, b->fpu_load));
    *skip = e->p - skip - 1;
}

/* The way back: every exit jumps here, with what it has to say in the context. */
static void emit_leave(struct bt *b, struct emitter *e)
{
    for (unsigned r = RAX; r <= RDI; r++)
        store(e, r, CTX(gpr[0]) + 8 * r);
    load(e, RSP, CTX(host_rsp));
    EMIT(e, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto al */
    EMIT(e, 0x66, 0x41, 0x89);      /* mov [r15 + flags], ax */
    emit_ctx(e, RAX, CTX(flags));
    store(e, R11, CTX(icount));
    store(e, R14, CTX(budget));
    emit_save_fpu(b, e);
    emit_bytes(e, pop_saved, sizeof pop_saved);
    EMIT(e, 0xc3);
}

/* Ways to it that say why. The miss: an indirect jump whose target is in r8. */
static void emit_reason(struct bt *b, struct emitter *e, enum leave why)
{
    EMIT(e, 0x41, 0xc7);            /* mov dword [r15 + leave], why */
    emit_ctx(e, 0, CTX(leave));
    emit32(e, why);
    if (why == LEAVE_MISS) {
        EMIT(e, 0x45, 0x89);        /* mov [r15 + eip], r8d */
        emit_ctx(e, R8, CTX(eip));
    }
    emit8(e, 0xe9);                 /* jmp leave */
    emit32(e, b->leave - (e->p + 4 - e->start));
}

/* The FPU gate. The state of x87 and SSE is loaded when a unit first needs it, since most visits of the cache do not:
 * such a unit begins with a jump through the gate, its own address in r13. */
static void emit_fpu_load(struct bt *b, struct emitter *e)
{
    EMIT(e, 0x41, 0x0f, 0xae);      /* stmxcsr [r15 + host_mxcsr] */
    emit_ctx(e, 3, CTX(host_mxcsr));
    load(e, R8, CTX(fpu));
    EMIT(e, 0x49, 0x0f, 0xae, 0x08); /* fxrstor64 [r8] */
    store_byte(e, CTX(fpu_loaded), 1);
    set_gate(e, hva_of(b, b->fpu_return));
    EMIT(e, 0x41, 0xff, 0xe5);      /* jmp r13 */
}

static u32 align(struct emitter *e)
{
    while ((e->p - e->start) % 16)
        emit8(e, 0xcc);
    return e->p - e->start;
}

void stubs_emit(struct bt *b)
{
    struct emitter e = { b->code, b->code };
    b->fpu_return = align(&e);
    EMIT(&e, 0x41, 0xff, 0xe5);     /* jmp r13 */
    b->fpu_load = align(&e);
    emit_fpu_load(b, &e);
    b->enter = align(&e);
    emit_enter(&e);
    b->leave = align(&e);
    emit_leave(b, &e);
    b->miss = align(&e);
    emit_reason(b, &e, LEAVE_MISS);
    b->link = align(&e);
    emit_reason(b, &e, LEAVE_LINK);
    b->callout = align(&e);
    emit_reason(b, &e, LEAVE_CALLOUT);
    b->code_used = (align(&e) + 63) & ~63u;
}
