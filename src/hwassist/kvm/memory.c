/* SPDX-License-Identifier: MIT */
/* Exits about memory: shadow page faults and INVLPG without EPT; violations and misconfigurations with it. */
#include <stdio.h>

#include "hwassist/kvm/kvm.h"

static bool shut_down(struct exit *e)
{
    e->kind = EXIT_SHUTDOWN;
    return false;
}

bool kvm_emulate_access(struct kvm_vcpu *k, struct exit *e)
{
    bool alive = k->queued.valid ? kvm_emulate_delivery(k) : kvm_emulate(k);
    return alive || shut_down(e);
}

/* A device's register: of the interrupt controllers that the monitor has itself, a doorbell, or one in user space? */
static enum event event_of_device(const struct kvm_vcpu *k, gpa_t gpa)
{
    gpa_t page = gpa & PAGE_MASK;
    if (page == KVM_LAPIC_GPA)
        return k->vm->irqchip == IRQCHIP_OFF ? EV_KVM_APIC_USER : EV_KVM_APIC;
    if (page == KVM_IOAPIC_GPA)
        return k->vm->irqchip == IRQCHIP_ON ? EV_KVM_APIC : EV_KVM_APIC_USER;
    return bus_is_bell(&k->v->vm->bus, gpa) ? EV_KVM_IOEVENTFD : EV_KVM_MMIO;
}

/* The same fault at the same place without an instruction between means that filling does not help: emulate. */
static bool is_stuck(struct kvm_vcpu *k, gva_t gva)
{
    bool same = k->last_fault.gva == gva && k->last_fault.icount == k->cpu->icount;
    k->last_fault.times = same ? k->last_fault.times + 1 : 0;
    k->last_fault.gva = gva;
    k->last_fault.icount = k->cpu->icount;
    k->stuck += k->last_fault.times > 8;
    return k->last_fault.times > 8;
}

bool kvm_on_page_fault(struct kvm_vcpu *k, struct exit *e)
{
    static const enum event event_of[] = {
        [SHADOW_FILLED] = EV_KVM_PF_HIDDEN, [SHADOW_TRUE_FAULT] = EV_KVM_PF_TRUE, [SHADOW_PT_WRITE] = EV_KVM_PT_WRITE,
    };
    gva_t gva = vmread(&k->vmx.vmcs, EXIT_QUALIFICATION);
    u32 error = vmread(&k->vmx.vmcs, EXIT_INTR_ERROR);
    struct mmu_fault f;
    enum shadow_result r = shadow_fault(&k->shadow, gva, error, &f);
    trace(k->cpu->tracer, SHADOW, "gva=0x%llx error=0x%x result=%u", (unsigned long long)gva, error, r);
    kvm_charge(k, r == SHADOW_MMIO ? event_of_device(k, k->shadow.device) : event_of[r]);
    if (r == SHADOW_TRUE_FAULT) {
        struct trap t = { .vector = VEC_PF, .type = TRAP_FAULT, .has_error = true, .error = f.error, .cr2 = gva };
        kvm_queue_trap(k, &t);
        return k->cpu->state.activity != CPU_SHUT_DOWN || shut_down(e);
    }
    if (r == SHADOW_FILLED && !is_stuck(k, gva))
        return true;
    u64 before = k->shadow.prefills;
    bool on = kvm_emulate_access(k, e);
    ledger_charge_n(k->cpu->ledger, EV_KVM_PT_PREFILL, k->shadow.prefills - before);
    return on;
}

bool kvm_on_invlpg(struct kvm_vcpu *k, struct exit *e)
{
    gva_t gva = vmread(&k->vmx.vmcs, EXIT_QUALIFICATION);
    if (kvm_has(k, FEATURE_VPID)) /* otherwise the next entry drops everything */
        vmx_invvpid(&k->vmx, INVVPID_ADDRESS, vmcs_get(&k->vmx.vmcs, VMCSI_VPID), gva);
    mmu_invlpg(&k->emulator.mmu, gva);
    kvm_skip(k);
    return true;
}

bool kvm_on_ept_violation(struct kvm_vcpu *k, struct exit *e)
{
    gpa_t gpa = vmread(&k->vmx.vmcs, GUEST_PHYSICAL_ADDRESS);
    u64 q = vmread(&k->vmx.vmcs, EXIT_QUALIFICATION);
    enum tdp_result r = kvm_ept_fill(k, gpa, q & EPTQ_WRITE);
    kvm_charge(k, r == TDP_FILLED ? EV_KVM_EPT_FILL : event_of_device(k, gpa));
    return r == TDP_FILLED || kvm_emulate_access(k, e);
}

/* The mark of a gpa without memory, set by kvm_ept_fill(). */
bool kvm_on_ept_misconfig(struct kvm_vcpu *k, struct exit *e)
{
    kvm_charge(k, event_of_device(k, vmread(&k->vmx.vmcs, GUEST_PHYSICAL_ADDRESS)));
    return kvm_emulate_access(k, e);
}
