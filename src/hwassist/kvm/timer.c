/* SPDX-License-Identifier: MIT */
/*
 * Ticks of the guest's local APIC by the VMX-preemption timer, as KVM does since 2016: the processor itself leaves the guest when the tick
 * is due. Without it a timer of the host must be set, whose interrupt does the same. Where ticks are posted, neither is needed.
 */
#include "devices/interrupt/apic.h"
#include "hwassist/kvm/kvm.h"

void kvm_timer_enter(struct kvm_vcpu *k)
{
    struct vmcs *c = &k->vmx.vmcs;
    if (!kvm_has(k, FEATURE_TIMER) || k->posted || !k->v->vm->platform.apic)
        return;
    cycles_t now = k->cpu->clock->now, due = apic_timer_due(k->v->vm->platform.apic, k->v->index);
    u64 count = due != CLOCK_NEVER && due > now ? (due - now) >> PREEMPTION_TIMER_SHIFT : 0;
    bool on = count && !(count >> 32);
    u64 pin = vmcs_get(c, VMCSI_PIN_CONTROLS);
    if (!!(pin & PIN_TIMER) != on)
        vmwrite(c, PIN_CONTROLS, pin ^ PIN_TIMER);
    if (on)
        vmwrite(c, PREEMPTION_TIMER, count);
}
