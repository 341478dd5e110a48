/* SPDX-License-Identifier: MIT */
/* Raising: leave the reason in c->stop and unwind to whoever called the handler (interp.c, deliver.c). */
#include "cpu/internal.h"

static _Noreturn void unwind(struct cpu *c, enum cpu_stop_kind kind)
{
    c->stop.kind = kind;
    c->stop.vectoring = c->delivering;
    if (c->delivering)
        c->stop.vectored = c->delivering_trap;
    siglongjmp(c->unwind, 1);
}

static _Noreturn void raise_trap(struct cpu *c, const struct trap *t)
{
    c->stop.trap = *t;
    unwind(c, STOP_TRAP);
}

_Noreturn void raise_fault(struct cpu *c, u8 vector)
{
    raise_trap(c, &(struct trap){ .vector = vector, .type = TRAP_FAULT });
}

_Noreturn void raise_error(struct cpu *c, u8 vector, u32 error)
{
    raise_trap(c, &(struct trap){ .vector = vector, .type = TRAP_FAULT, .has_error = true, .error = error });
}

_Noreturn void raise_mmu(struct cpu *c, const struct mmu_fault *f)
{
    c->stop.fault = *f;
    if (f->kind == FAULT_STAGE2)
        unwind(c, STOP_STAGE2);
    raise_trap(c, &(struct trap){ .vector = VEC_PF, .type = TRAP_FAULT, .has_error = true, .error = f->error, .cr2 = f->gva });
}

_Noreturn void raise_debug(struct cpu *c, u64 dr6)
{
    raise_trap(c, &(struct trap){ .vector = VEC_DB, .type = TRAP_FAULT, .dr6 = dr6 });
}

_Noreturn void raise_soft(struct cpu *c, u8 vector, enum trap_type type)
{
    raise_trap(c, &(struct trap){ .vector = vector, .type = type, .insn_len = c->state.rip - c->insn_rip });
}

_Noreturn void raise_intercept(struct cpu *c, const struct icept_info *info)
{
    c->stop.icept = *info;
    c->stop.icept.insn_len = c->state.rip - c->insn_rip;
    unwind(c, STOP_INTERCEPT);
}
