/* SPDX-License-Identifier: MIT */
/* The small KVM's exit handlers, one short function a reason, by the table exits.def. True: back into the guest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hwassist/kvm/kvm.h"

#define KVM_ENOSYS 1000
#define KVM_EPERM 1

static bool on_nothing(struct kvm_vcpu *k, struct exit *e) { return true; }

/* KVM's own interrupt goes in at the next entry; or it is user space that waits, with one that KVM does not know of yet. */
static bool on_window(struct kvm_vcpu *k, struct exit *e)
{
    e->kind = EXIT_KICKED;
    return !k->v->intr_window;
}

static bool on_triple_fault(struct kvm_vcpu *k, struct exit *e)
{
    e->kind = EXIT_SHUTDOWN;
    return false;
}

static bool on_skip(struct kvm_vcpu *k, struct exit *e)
{
    kvm_skip(k);
    return true;
}

static bool on_emulate(struct kvm_vcpu *k, struct exit *e) { return kvm_emulate(k) || on_triple_fault(k, e); }

static bool on_undefined(struct kvm_vcpu *k, struct exit *e)
{
    kvm_queue_exception(k, VEC_UD, false, 0);
    return true;
}

/* Page faults are the shadow's business; what else is intercepted goes back to the guest as it came. */
static bool on_exception(struct kvm_vcpu *k, struct exit *e)
{
    struct vmcs *c = &k->vmx.vmcs;
    u64 info = vmread(c, EXIT_INTR_INFO);
    struct trap t = {
        .vector = info & INTR_VECTOR,
        .type = info >> INTR_TYPE_SHIFT & 7,
        .has_error = info & INTR_ERROR_VALID,
        .error = vmread(c, EXIT_INTR_ERROR),
        .insn_len = vmread(c, EXIT_INSN_LEN),
    };
    if (t.vector == VEC_PF && t.type == TRAP_FAULT)
        return kvm_on_page_fault(k, e);
    t.dr6 = t.vector == VEC_DB ? vmread(c, EXIT_QUALIFICATION) : 0;
    kvm_charge(k, EV_KVM_EXCEPTION);
    kvm_queue_trap(k, &t);
    return true;
}

/* Through a task gate an event was being delivered: then that is what must be done over. */
static bool on_task_switch(struct kvm_vcpu *k, struct exit *e)
{
    bool alive = k->queued.valid ? kvm_emulate_delivery(k) : kvm_emulate(k);
    return alive || on_triple_fault(k, e);
}

static bool on_cpuid(struct kvm_vcpu *k, struct exit *e)
{
    u64 *r = k->cpu->state.gpr;
    u32 out[4];
    cpu_cpuid(k->cpu, r[RAX], r[RCX], out);
    r[RAX] = out[0];
    r[RBX] = out[1];
    r[RCX] = out[2];
    r[RDX] = out[3];
    return on_skip(k, e);
}

static bool on_hlt(struct kvm_vcpu *k, struct exit *e)
{
    kvm_skip(k);
    k->cpu->state.activity = CPU_HALTED;
    k->halt.owes_entry = true;
    if (k->vm->irqchip == IRQCHIP_OFF) /* who waits for interrupts is there */
        kvm_charge(k, EV_KVM_IRQ_USER);
    return true;
}

/* No hypercalls are offered: the answer is KVM's for a number that it does not know. */
static bool on_vmcall(struct kvm_vcpu *k, struct exit *e)
{
    s64 answer = state_cpl(&k->cpu->state) ? -KVM_EPERM : -KVM_ENOSYS;
    k->cpu->state.gpr[RAX] = state_code_bits(&k->cpu->state) == 64 ? (u64)answer : (u32)answer;
    return on_skip(k, e);
}

static bool on_rdmsr(struct kvm_vcpu *k, struct exit *e)
{
    u64 *r = k->cpu->state.gpr, value;
    if (!cpu_rdmsr(k->cpu, r[RCX], &value)) {
        kvm_queue_exception(k, VEC_GP, true, 0);
        return true;
    }
    r[RAX] = (u32)value;
    r[RDX] = value >> 32;
    return on_skip(k, e);
}

/* Through the emulator: EFER hangs together with CR0 and CR4, which the guest must be seen to have as it believes. */
static bool on_wrmsr(struct kvm_vcpu *k, struct exit *e) { return on_emulate(k, e); }

#define EV_NONE EV_COUNT
static const struct { enum event event; bool (*handle)(struct kvm_vcpu *k, struct exit *e); } handlers[REASON_COUNT] = {
#define HANDLER(reason, event, function) [REASON_##reason] = { EV_##event, function },
#include "hwassist/kvm/exits.def"
#undef HANDLER
};

static bool stop(struct kvm_vcpu *k, struct exit *e, const char *what, u64 reason)
{
    e->kind = EXIT_STOPPED;
    snprintf(e->stopped.reason, sizeof e->stopped.reason, "%s %" PRIu64 " (%s), qualification 0x%" PRIx64 ", rip 0x%" PRIx64, what, reason,
             reason < REASON_COUNT && vmx_reason_names[reason] ? vmx_reason_names[reason] : "?", vmcs_get(&k->vmx.vmcs, VMCSI_EXIT_QUALIFICATION),
             k->cpu->state.rip);
    return false;
}

bool kvm_handle_exit(struct kvm_vcpu *k, struct exit *e)
{
    u64 reason = vmread(&k->vmx.vmcs, EXIT_REASON);
    u64 qualification = 0;
    if (reason & REASON_ENTRY_FAILURE) {
        stop(k, e, "VM entry failed, exit reason", reason & 0xffff);
        size_t used = strlen(e->stopped.reason);
        const char *check = vmx_check_guest(&k->vmx, &qualification);
        snprintf(e->stopped.reason + used, sizeof e->stopped.reason - used, "; SDM vol. 3, %s", check ? check : "?");
        return false;
    }
    if (reason >= REASON_COUNT || !handlers[reason].handle)
        return stop(k, e, "the monitor has no handler for exit reason", reason);
    kvm_requeue_vectored(k);
    if (handlers[reason].event != EV_NONE)
        kvm_charge(k, handlers[reason].event);
    return handlers[reason].handle(k, e);
}
