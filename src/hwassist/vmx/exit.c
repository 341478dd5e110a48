/* SPDX-License-Identifier: MIT */
/* VM exits, SDM vol. 3, chapter 28: what the processor stopped for becomes a reason, a qualification, and event information in the VMCS. */
#include "hwassist/vmx/vmx.h"

#include <inttypes.h>

const char *const vmx_reason_names[REASON_COUNT] = {
#define REASON(id, number, name) [number] = name,
#include "hwassist/vmx/reasons.def"
#undef REASON
};

#define HOST_TIMER_VECTOR 0xef

static void put(struct vmx *x, enum vmcs_index i, u64 value) { vmcs_set(&x->vmcs, i, value); }

void vmx_exit(struct vmx *x, enum vmx_reason reason, u64 qualification, unsigned insn_len)
{
    x->exits[reason]++;
    x->inside = false;
    put(x, VMCSI_EXIT_REASON, reason);
    put(x, VMCSI_EXIT_QUALIFICATION, qualification);
    put(x, VMCSI_EXIT_INSN_LEN, insn_len);
    put(x, VMCSI_EXIT_INTR_INFO, 0);
    put(x, VMCSI_IDT_VECTORING_INFO, 0);
    trace(x->cpu->tracer, VMX, "exit=%u(%s) qualification=0x%" PRIx64 " rip=0x%" PRIx64, reason, vmx_reason_names[reason], qualification,
          x->cpu->state.rip);
}

static u64 intr_info(const struct trap *t)
{
    return INTR_VALID | (t->has_error ? INTR_ERROR_VALID : 0) | (u64)t->type << INTR_TYPE_SHIFT | t->vector;
}

/* SDM vol. 3, 28.2.4: the exit came while an event was being delivered. A software event's length goes along. */
void vmx_record_vectoring(struct vmx *x)
{
    const struct cpu_stop *s = &x->cpu->stop;
    if (!s->vectoring)
        return;
    put(x, VMCSI_IDT_VECTORING_INFO, intr_info(&s->vectored));
    put(x, VMCSI_IDT_VECTORING_ERROR, s->vectored.error);
    if (s->vectored.type >= TRAP_SOFT_INT)
        put(x, VMCSI_EXIT_INSN_LEN, s->vectored.insn_len);
}

static enum vmx_next exit_exception(struct vmx *x, const struct trap *t)
{
    u64 qualification = t->vector == VEC_PF ? t->cr2 : t->vector == VEC_DB ? t->dr6 : 0;
    vmx_exit(x, REASON_EXCEPTION_NMI, qualification, t->type >= TRAP_ICEBP ? t->insn_len : 0);
    put(x, VMCSI_EXIT_INTR_INFO, intr_info(t));
    put(x, VMCSI_EXIT_INTR_ERROR, t->has_error ? t->error : 0);
    vmx_record_vectoring(x);
    return NEXT_LEAVE;
}

static enum vmx_next on_trap(struct vmx *x, enum vmx_outcome *outcome) { return exit_exception(x, &x->cpu->stop.trap); }

static enum vmx_next on_stage2(struct vmx *x, enum vmx_outcome *outcome)
{
    const struct mmu_fault *f = &x->cpu->stop.fault;
    if (x->ept.apic_refused) {
        vmx_exit(x, REASON_APIC_ACCESS, vapic_qualification(f->gpa, f->qualification, x->cpu->stop.vectoring), 0);
        vmx_record_vectoring(x);
        return NEXT_LEAVE;
    }
    vmx_exit(x, f->misconfig ? REASON_EPT_MISCONFIG : REASON_EPT_VIOLATION, f->qualification, 0);
    put(x, VMCSI_GUEST_PHYSICAL_ADDRESS, f->gpa);
    put(x, VMCSI_GUEST_LINEAR_ADDRESS, f->gva);
    vmx_record_vectoring(x);
    return NEXT_LEAVE;
}

static enum vmx_next exit_plain(struct vmx *x, enum vmx_reason reason)
{
    vmx_exit(x, reason, 0, 0);
    return NEXT_LEAVE;
}

static enum vmx_next leave(enum vmx_outcome *outcome, enum vmx_outcome how)
{
    *outcome = how;
    return NEXT_LEAVE;
}

/* Virtual time is up: the guest's preemption timer, or the host's. If a timer of the modelled host is due, its interrupt arrives now and exits. */
static enum vmx_next on_deadline(struct vmx *x, enum vmx_outcome *outcome)
{
    bool posted = vmcs_get(&x->vmcs, VMCSI_PIN_CONTROLS) & PIN_POSTED;
    if (clock_deadline(x->cpu->clock) >= x->timer_end && x->cpu->clock->now >= x->timer_end) /* the first of the two */
        return exit_plain(x, REASON_PREEMPTION_TIMER);
    if (clock_deadline(x->cpu->clock) > x->cpu->clock->now || posted) { /* posted: the host's timer is served elsewhere, and notifies */
        *outcome = VMX_DEADLINE;
        return NEXT_LEAVE;
    }
    vmx_exit(x, REASON_EXTERNAL_INTERRUPT, 0, 0);
    if (vmcs_get(&x->vmcs, VMCSI_EXIT_CONTROLS) & EXIT_ACK_INTR)
        put(x, VMCSI_EXIT_INTR_INFO, INTR_VALID | TRAP_EXTINT << INTR_TYPE_SHIFT | HOST_TIMER_VECTOR);
    return NEXT_LEAVE;
}

static enum vmx_next on_shutdown(struct vmx *x, enum vmx_outcome *o) { return exit_plain(x, REASON_TRIPLE_FAULT); }
/* A virtual interrupt is delivered here; then the emulator looks around, for the guest's APIC has changed. */
static enum vmx_next on_window(struct vmx *x, enum vmx_outcome *o)
{
    if (!vapic_recognized(x))
        return exit_plain(x, REASON_INTERRUPT_WINDOW);
    enum cpu_stop_kind kind = vapic_deliver(x);
    vmx_want_windows(x);
    return kind == STOP_DEADLINE ? leave(o, VMX_ATTENTION) : vmx_on_stop(x, kind, o);
}
static enum vmx_next on_nmi_window(struct vmx *x, enum vmx_outcome *o) { return exit_plain(x, REASON_NMI_WINDOW); }
static enum vmx_next on_hlt(struct vmx *x, enum vmx_outcome *o) { return leave(o, VMX_HALTED); }
static enum vmx_next on_attention(struct vmx *x, enum vmx_outcome *o) { return leave(o, VMX_ATTENTION); }
static enum vmx_next on_break(struct vmx *x, enum vmx_outcome *o) { return leave(o, VMX_DEBUG); }

enum vmx_next vmx_on_stop(struct vmx *x, enum cpu_stop_kind kind, enum vmx_outcome *outcome)
{
    static enum vmx_next (*const on[])(struct vmx *, enum vmx_outcome *) = {
        [STOP_DEADLINE] = on_deadline, [STOP_HLT] = on_hlt, [STOP_SHUTDOWN] = on_shutdown, [STOP_ATTENTION] = on_attention,
        [STOP_WINDOW] = on_window, [STOP_NMI_WINDOW] = on_nmi_window, [STOP_BREAK] = on_break, [STOP_TRAP] = on_trap, [STOP_INTERCEPT] = vmx_on_intercept,
        [STOP_STAGE2] = on_stage2,
    };
    *outcome = VMX_EXIT;
    return on[kind](x, outcome);
}
