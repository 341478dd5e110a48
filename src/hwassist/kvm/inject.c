/* SPDX-License-Identifier: MIT */
/* Events into the guest: through the VM-entry interruption-information field, one an entry (SDM vol. 3, 27.6). */
#include "hwassist/kvm/kvm.h"

void kvm_queue_event(struct kvm_vcpu *k, const struct trap *t)
{
    k->queued.valid = true;
    k->queued.trap = *t;
    if (t->type == TRAP_FAULT && t->vector == VEC_PF)
        k->cpu->state.cr2 = t->cr2;
    if (t->type == TRAP_FAULT && t->vector == VEC_DB)
        k->cpu->state.dr[6] |= t->dr6;
}

/* SDM vol. 3, 6.15, table 6-4: which exceptions do not stand each other. */
static bool is_contributory(const struct trap *t)
{
    const u32 contributory = BIT(VEC_DE) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP);
    return t->type == TRAP_FAULT && contributory >> (t->vector & 31) & 1;
}
static bool is_vector(const struct trap *t, u8 vector) { return t->type == TRAP_FAULT && t->vector == vector; }

static bool doubles(const struct trap *first, const struct trap *second)
{
    if (is_vector(first, VEC_PF))
        return is_contributory(second) || is_vector(second, VEC_PF);
    return is_contributory(first) && is_contributory(second);
}

void kvm_queue_trap(struct kvm_vcpu *k, const struct trap *t)
{
    static const struct trap double_fault = { .vector = VEC_DF, .type = TRAP_FAULT, .has_error = true };
    const struct trap *first = k->queued.valid ? &k->queued.trap : NULL;
    if (first && is_vector(first, VEC_DF) && (is_contributory(t) || is_vector(t, VEC_PF)))
        k->cpu->state.activity = CPU_SHUT_DOWN;
    else
        kvm_queue_event(k, first && doubles(first, t) ? &double_fault : t);
}

void kvm_queue_exception(struct kvm_vcpu *k, u8 vector, bool has_error, u32 error)
{
    /* in real mode exceptions have no error code */
    struct trap t = { .vector = vector, .type = TRAP_FAULT, .has_error = has_error && k->cpu->state.cr0 & CR0_PE, .error = error };
    kvm_queue_trap(k, &t);
}

void kvm_requeue_vectored(struct kvm_vcpu *k)
{
    struct vmcs *c = &k->vmx.vmcs;
    u64 info = vmread(c, IDT_VECTORING_INFO);
    if (!(info & INTR_VALID))
        return;
    k->queued.valid = true;
    k->queued.trap = (struct trap){
        .vector = info & INTR_VECTOR,
        .type = info >> INTR_TYPE_SHIFT & 7,
        .has_error = info & INTR_ERROR_VALID,
        .error = info & INTR_ERROR_VALID ? vmread(c, IDT_VECTORING_ERROR) : 0,
        .insn_len = vmread(c, EXIT_INSN_LEN),
        .cr2 = k->cpu->state.cr2,
    };
}

static void write_event(struct kvm_vcpu *k, const struct trap *t)
{
    struct vmcs *c = &k->vmx.vmcs;
    vmwrite(c, ENTRY_INTR_INFO, INTR_VALID | (t->has_error ? INTR_ERROR_VALID : 0) | (u64)t->type << INTR_TYPE_SHIFT | t->vector);
    if (t->has_error)
        vmwrite(c, ENTRY_EXCEPTION_ERROR, t->error);
    if (t->type >= TRAP_SOFT_INT)
        vmwrite(c, ENTRY_INSN_LEN, t->insn_len);
}

static void want_window(struct kvm_vcpu *k, u64 control, bool want)
{
    struct vmcs *c = &k->vmx.vmcs;
    u64 proc = vmcs_get(c, VMCSI_PROC_CONTROLS);
    if (!!(proc & control) != want)
        vmwrite(c, PROC_CONTROLS, proc ^ control);
}

/* An interrupt of the host makes the running guest exit: one of a device that is not posted, or the one by which the host makes it
 * take what cannot be posted, the 8259A's, once; then a window is waited for. */
static void kick_out(struct kvm_vcpu *k, bool by_8259a)
{
    bool by_device = k->v->vm->host_interrupted;
    k->v->vm->host_interrupted = false;
    if (!k->quiet || !(by_device || (by_8259a && !k->kicked && k->posted && k->apic_on)))
        return;
    vmx_exit(&k->vmx, REASON_EXTERNAL_INTERRUPT, 0, 0);
    kvm_charge(k, EV_KVM_EXTINT);
}

/* Wakes a halted guest: it enters in the active state. */
static void inject_interrupt(struct kvm_vcpu *k)
{
    struct trap t = { .type = TRAP_EXTINT };
    if (vcpu_nmi_pending(k->v))
        t = vcpu_nmi_take(k->v);
    else
        t.vector = vcpu_intr_acknowledge(k->v);
    k->cpu->state.activity = CPU_ACTIVE;
    write_event(k, &t);
    kvm_charge(k, EV_KVM_INJECT);
    if (k->vm->irqchip == IRQCHIP_OFF)
        kvm_charge(k, EV_KVM_IRQ_USER);
}

/* A single step of the guest's that must wait behind STI, MOV SS or HLT is told to the processor, which insists on it (27.3.1.5). */
static void prepare_step(struct kvm_vcpu *k)
{
    const struct cpu_state *s = &k->cpu->state;
    bool blocked = s->sti_shadow || s->movss_shadow || s->activity == CPU_HALTED;
    u64 pending = blocked && s->rflags & FLAG_TF && !(s->debugctl & BIT(1)) ? BIT(14) : 0;
    if (vmcs_get(&k->vmx.vmcs, VMCSI_GUEST_PENDING_DEBUG) != pending)
        vmwrite(&k->vmx.vmcs, GUEST_PENDING_DEBUG, pending);
}

void kvm_prepare_injection(struct kvm_vcpu *k)
{
    bool first = k->queued.valid, delivers = kvm_apic_delivers(k), intr = vcpu_intr_pending(k->v) && !delivers;
    kick_out(k, intr);
    if (first) {
        write_event(k, &k->queued.trap);
        k->queued.valid = false;
    } else if (vcpu_nmi_pending(k->v) || (intr && cpu_interruptible(k->cpu))) {
        inject_interrupt(k);
    }
    if (delivers && vcpu_intr_pending(k->v) && k->cpu->state.activity == CPU_HALTED && cpu_interruptible(k->cpu))
        k->cpu->state.activity = CPU_ACTIVE; /* the processor delivers it as soon as it has entered */
    intr = vcpu_intr_pending(k->v) && !kvm_apic_delivers(k);
    k->kicked = intr;
    want_window(k, PROC_INTR_WINDOW, intr || k->v->intr_window);
    want_window(k, PROC_NMI_WINDOW, k->v->nmi && k->cpu->state.nmi_blocked);
    prepare_step(k);
}
