/* SPDX-License-Identifier: MIT */
/* VM entry, SDM vol. 3, chapter 27: check, load, inject, go. */
#include "hwassist/vmx/vmx.h"

#include <inttypes.h>

void vmx_init(struct vmx *x, struct cpu *cpu, struct hostmem *host, u32 features)
{
    x->cpu = cpu;
    x->host = host;
    vmx_caps_init(&x->caps, features, cpu->mmu.phys_bits);
    vmcs_init(&x->vmcs, &cpu->state, features);
    ept_init(&x->ept, host, &cpu->mmu, features);
    host_view_init(&x->host_view, host);
}

static enum vmx_outcome fail(struct vmx *x, enum vm_insn_error error, const char *check)
{
    vmcs_set(&x->vmcs, VMCSI_INSN_ERROR, error);
    trace(x->cpu->tracer, VMX, "entry failed, VM-instruction error %u: %s", error, check ? check : "launch state");
    return VMX_FAIL;
}

/* SDM vol. 3, 27.8: looks like a VM exit, with bit 31 of the reason set; nothing of the guest ran. */
static enum vmx_outcome fail_guest_state(struct vmx *x, u64 qualification, const char *check)
{
    vmx_exit(x, REASON_ENTRY_GUEST_STATE, qualification, 0);
    vmcs_set(&x->vmcs, VMCSI_EXIT_REASON, REASON_ENTRY_GUEST_STATE | REASON_ENTRY_FAILURE);
    trace(x->cpu->tracer, VMX, "entry failed, invalid guest state: %s", check);
    return VMX_EXIT;
}

/* Without a VPID every entry (and exit) drops all translations, SDM vol. 3, 29.4.3.1. */
static void flush_without_vpid(struct vmx *x)
{
    bool secondary = vmcs_get(&x->vmcs, VMCSI_PROC_CONTROLS) & PROC_SECONDARY;
    if (secondary && vmcs_get(&x->vmcs, VMCSI_PROC2_CONTROLS) & PROC2_VPID)
        return;
    x->tlb_flushes++;
    mmu_flush(&x->cpu->mmu, true);
}

/* What was written into the VMCS reaches the processor. */
static void load_guest(struct vmx *x)
{
    if (x->vmcs.dirty & DIRTY_CONTROLS)
        vmx_derive_intercepts(x);
    if (x->vmcs.dirty & DIRTY_GUEST)
        cpu_state_changed(x->cpu);
    x->vmcs.dirty = 0;
}

/* SDM vol. 3, 27.6: deliver the event of the interruption-information field, as the guest's first thing. Consumed by the entry. */
static enum cpu_stop_kind inject(struct vmx *x)
{
    u64 info = vmcs_get(&x->vmcs, VMCSI_ENTRY_INTR_INFO);
    if (!(info & INTR_VALID))
        return STOP_DEADLINE;
    struct trap t = {
        .vector = info & INTR_VECTOR,
        .type = info >> INTR_TYPE_SHIFT & 7,
        .has_error = info & INTR_ERROR_VALID,
        .error = vmcs_get(&x->vmcs, VMCSI_ENTRY_EXCEPTION_ERROR),
        .cr2 = x->cpu->state.cr2, /* entry does not load CR2: the monitor has written it */
        .insn_len = vmcs_get(&x->vmcs, VMCSI_ENTRY_INSN_LEN),
    };
    vmcs_set(&x->vmcs, VMCSI_ENTRY_INTR_INFO, info & ~INTR_VALID);
    trace(x->cpu->tracer, VMX, "inject vector=0x%x type=%u error=0x%x", t.vector, t.type, t.error);
    return cpu_deliver(x->cpu, &t);
}

static enum vmx_outcome run(struct vmx *x, cycles_t deadline, bool step)
{
    enum vmx_outcome outcome;
    enum cpu_stop_kind kind = inject(x);
    if (kind == STOP_DEADLINE)
        kind = step ? cpu_step(x->cpu) : cpu_run(x->cpu, deadline);
    if (step && kind == STOP_DEADLINE)
        return VMX_DEBUG;
    while (vmx_on_stop(x, kind, &outcome) == NEXT_RESUME) {
        if (step)
            return VMX_DEBUG;
        kind = cpu_run(x->cpu, deadline);
    }
    return outcome;
}

enum vmx_outcome vmx_enter(struct vmx *x, bool launch, cycles_t deadline, bool step)
{
    const char *bad;
    u64 qualification = 0;
    if (launch == x->vmcs.launched)
        return fail(x, launch ? VMFAIL_LAUNCH_NOT_CLEAR : VMFAIL_RESUME_NOT_LAUNCHED, NULL);
    if ((x->vmcs.dirty & DIRTY_CONTROLS && (bad = vmx_check_controls(x))) || (bad = vmx_check_event(x)))
        return fail(x, VMFAIL_CONTROLS, bad);
    if (x->vmcs.dirty & DIRTY_HOST && (bad = vmx_check_host(x)))
        return fail(x, VMFAIL_HOST_STATE, bad);
    if (x->vmcs.dirty && (bad = vmx_check_guest(x, &qualification)))
        return fail_guest_state(x, qualification, bad);
    x->vmcs.launched = true;
    x->entries++;
    load_guest(x);
    flush_without_vpid(x);
    return run(x, deadline, step);
}
