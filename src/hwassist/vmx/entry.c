/* SPDX-License-Identifier: MIT */
/* VM entry, SDM vol. 3, chapter 27: check, load, inject, go. */
#include "hwassist/vmx/vmx.h"

#include <inttypes.h>

void vmx_init(struct vmx *x, struct cpu *cpu, struct hostmem *host, u32 features)
{
    x->cpu = cpu;
    x->host = host;
    x->current = VMX_NO_REGION;
    vmx_caps_init(&x->caps, features, cpu->mmu.phys_bits);
    vmcs_init(&x->vmcs, &cpu->state, features);
    ept_init(&x->ept, host, &cpu->mmu, features);
    host_view_init(&x->host_view, host, &x->ept);
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

static bool secondary(const struct vmx *x, u32 bit)
{
    return vmcs_get(&x->vmcs, VMCSI_PROC_CONTROLS) & PROC_SECONDARY && vmcs_get(&x->vmcs, VMCSI_PROC2_CONTROLS) & bit;
}

/* Without a VPID every entry (and exit) drops all translations, SDM vol. 3, 29.4.3.1. With one, those of another do not serve, nor those of
 * other extended page tables (29.4.1). The TLB has room for one tag: under another one it begins empty. */
static void tag_tlb(struct vmx *x)
{
    u16 vpid = secondary(x, PROC2_VPID) ? vmcs_get(&x->vmcs, VMCSI_VPID) : 0;
    u64 tables = secondary(x, PROC2_EPT) ? EPT_FRAME(vmcs_get(&x->vmcs, VMCSI_EPT_POINTER)) : 0;
    if (!vpid)
        x->tlb_flushes++;
    if (!vpid || vpid != x->vpid || tables != x->tagged_tables)
        mmu_flush(&x->cpu->mmu, true);
    if (tables != x->tagged_tables) /* what is known of the EPT alone stays otherwise, also without VPID (29.4.3.2) */
        walk_caches_drop(&x->cpu->mmu.caches, DIMENSION_NESTED);
    x->vpid = vpid;
    x->tagged_tables = tables;
}

/* SDM vol. 3, 27.4: an MSR that cannot be loaded fails the entry; the qualification is the number of its entry. */
static enum vmx_outcome fail_msr(struct vmx *x, unsigned number)
{
    vmx_exit(x, REASON_ENTRY_MSR_LOAD, number, 0);
    vmcs_set(&x->vmcs, VMCSI_EXIT_REASON, REASON_ENTRY_MSR_LOAD | REASON_ENTRY_FAILURE);
    trace(x->cpu->tracer, VMX, "entry failed, MSR list: entry %u", number);
    return VMX_EXIT;
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

/* What stops the processor without an exit of its own gives way to an exit that waits behind the last instruction. */
static bool exits_behind(struct vmx *x, enum cpu_stop_kind kind)
{
    struct pending_exit b = x->behind;
    if (!b.valid || (kind != STOP_DEADLINE && kind != STOP_ATTENTION && kind != STOP_WINDOW && kind != STOP_BREAK))
        return false;
    x->behind.valid = false;
    vmx_exit(x, b.reason, b.qualification, 0);
    return true;
}

/* SDM vol. 3, 26.5.1: it counts while the guest runs, and may be 0 already. */
static void start_timer(struct vmx *x)
{
    bool on = vmcs_get(&x->vmcs, VMCSI_PIN_CONTROLS) & PIN_TIMER;
    x->timer_end = on ? x->cpu->clock->now + (vmcs_get(&x->vmcs, VMCSI_PREEMPTION_TIMER) << PREEMPTION_TIMER_SHIFT) : CLOCK_NEVER;
}

/* The windows that are open already come before the first instruction: a virtual interrupt, or an exit. */
static enum cpu_stop_kind first(struct vmx *x, cycles_t deadline, bool step)
{
    enum cpu_stop_kind kind = inject(x);
    if (kind != STOP_DEADLINE || !step)
        return kind == STOP_DEADLINE ? cpu_run(x->cpu, deadline) : kind;
    return x->cpu->want_window && cpu_interruptible(x->cpu) ? STOP_WINDOW : cpu_step(x->cpu);
}

static enum vmx_outcome run(struct vmx *x, cycles_t deadline, bool step)
{
    enum vmx_outcome outcome;
    start_timer(x);
    deadline = deadline < x->timer_end ? deadline : x->timer_end;
    for (enum cpu_stop_kind kind = first(x, deadline, step);; kind = cpu_run(x->cpu, deadline)) {
        if (exits_behind(x, kind))
            return VMX_EXIT;
        if (step && kind == STOP_DEADLINE)
            return VMX_DEBUG;
        if (vmx_on_stop(x, kind, &outcome) == NEXT_LEAVE)
            return outcome;
        if (step)
            return VMX_DEBUG;
    }
}

/* SDM vol. 3, 28.3 to 28.6: what an exit saves and loads besides the state that stays in the processor. */
static enum vmx_outcome leave(struct vmx *x, enum vmx_outcome outcome)
{
    cycles_t now = x->cpu->clock->now;
    if (x->timer_end != CLOCK_NEVER && vmcs_get(&x->vmcs, VMCSI_EXIT_CONTROLS) & EXIT_SAVE_TIMER)
        vmcs_set(&x->vmcs, VMCSI_PREEMPTION_TIMER, x->timer_end > now ? (x->timer_end - now) >> PREEMPTION_TIMER_SHIFT : 0);
    if (outcome != VMX_EXIT || !vmx_exit_msrs(x))
        return outcome;
    x->aborted = true;
    return VMX_ABORT;
}

enum vmx_outcome vmx_enter(struct vmx *x, bool launch, cycles_t deadline, bool step)
{
    const char *bad;
    u64 qualification = 0;
    unsigned msr;
    if (x->aborted)
        return VMX_ABORT;
    if (!x->root || x->current == VMX_NO_REGION)
        return VMX_FAIL;
    if (launch == x->vmcs.launched)
        return fail(x, launch ? VMFAIL_LAUNCH_NOT_CLEAR : VMFAIL_RESUME_NOT_LAUNCHED, NULL);
    if ((x->vmcs.dirty & DIRTY_CONTROLS && (bad = vmx_check_controls(x))) || (bad = vmx_check_event(x)))
        return fail(x, VMFAIL_CONTROLS, bad);
    if (x->vmcs.dirty & DIRTY_HOST && (bad = vmx_check_host(x)))
        return fail(x, VMFAIL_HOST_STATE, bad);
    if (x->vmcs.dirty && (bad = vmx_check_guest(x, &qualification)))
        return fail_guest_state(x, qualification, bad);
    load_guest(x);
    if ((msr = vmx_load_entry_msrs(x)))
        return fail_msr(x, msr);
    x->vmcs.launched = true;
    x->entries += !x->inside;
    if (x->apic)
        x->apic->current = x;
    if (!x->inside)
        tag_tlb(x);
    vapic_enter(x);
    vmx_want_windows(x);
    enum vmx_outcome outcome = run(x, deadline, step);
    x->inside = outcome == VMX_DEADLINE || outcome == VMX_ATTENTION || outcome == VMX_DEBUG;
    return leave(x, outcome);
}
