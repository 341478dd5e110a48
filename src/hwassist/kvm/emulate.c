/* SPDX-License-Identifier: MIT */
/*
 * The monitor's instruction emulator is a processor of its own (the same interpreter), which sees the guest as the guest sees
 * itself: its own control registers and page tables, no intercepts. State goes in before, and comes back after.
 */
#include "hwassist/kvm/kvm.h"

#include <string.h>

#define REP_BATCH 4096 /* iterations of a string instruction in one go */

static void put_crs(struct cpu_state *s, const struct guest_crs *g)
{
    s->cr0 = g->cr0;
    s->cr3 = g->cr3;
    s->cr4 = g->cr4;
    s->efer = g->efer;
    memcpy(s->pdpte, g->pdpte, sizeof s->pdpte);
}

static struct guest_crs get_crs(const struct cpu_state *s)
{
    struct guest_crs g = { s->cr0, s->cr3, s->cr4, s->efer };
    memcpy(g.pdpte, s->pdpte, sizeof g.pdpte);
    return g;
}

/* With EPT the guest changes its page tables and invalidates the TLB without telling: the emulator's TLB starts empty. Without, the
 * monitor sees each INVLPG and each change of a control register, and keeps it. */
static void state_in(struct kvm_vcpu *k)
{
    struct cpu *e = &k->emulator;
    struct guest_crs g = kvm_guest_crs(k);
    e->state = k->cpu->state;
    e->icount = k->cpu->icount;
    e->debug = k->cpu->debug;
    put_crs(&e->state, &g);
    if (kvm_has(k, FEATURE_EPT))
        mmu_load_regs(&e->mmu, g.cr0, g.cr3, g.cr4, g.efer, g.pdpte);
}

static void state_out(struct kvm_vcpu *k)
{
    struct cpu *e = &k->emulator;
    struct guest_crs before = kvm_guest_crs(k), after = get_crs(&e->state), hardware = get_crs(&k->cpu->state);
    k->cpu->state = e->state;
    k->cpu->icount = e->icount;
    put_crs(&k->cpu->state, &hardware);
    if (memcmp(&before, &after, sizeof before))
        kvm_adopt_crs(k, &after);
}

static bool finish(struct kvm_vcpu *k, enum cpu_stop_kind stop)
{
    struct trap t = k->emulator.stop.trap;
    state_out(k);
    k->watched |= stop == STOP_BREAK;
    if (stop == STOP_TRAP)
        kvm_queue_trap(k, &t);
    return stop != STOP_SHUTDOWN && k->cpu->state.activity != CPU_SHUT_DOWN;
}

bool kvm_emulate(struct kvm_vcpu *k)
{
    struct cpu *e = &k->emulator;
    enum cpu_stop_kind stop;
    state_in(k);
    u64 rip = e->state.rip;
    unsigned n = 0;
    do {
        stop = cpu_emulate(e);
        k->emulated++;
    } while (stop == STOP_DEADLINE && e->state.rip == rip && ++n < REP_BATCH && !k->cpu->attention && k->v->vm->status == VM_RUNNING);
    return finish(k, stop);
}

bool kvm_emulate_delivery(struct kvm_vcpu *k)
{
    struct trap t = k->queued.trap;
    k->queued.valid = false;
    state_in(k);
    return finish(k, cpu_deliver(&k->emulator, &t));
}

void kvm_skip(struct kvm_vcpu *k)
{
    const struct trap step = { .vector = VEC_DB, .type = TRAP_FAULT, .dr6 = BIT(14) /* BS */ };
    bool tf = k->cpu->state.rflags & FLAG_TF;
    vmx_retire(k->cpu, vmread(&k->vmx.vmcs, EXIT_INSN_LEN), 0);
    if (tf)
        kvm_queue_trap(k, &step);
}

/* --- modes that the hardware cannot run --- */

bool kvm_needs_emulation(const struct kvm_vcpu *k)
{
    u64 cr0 = kvm_guest_crs(k).cr0;
    if (kvm_has(k, FEATURE_UG))
        return false;
    return !(cr0 & CR0_PE) || (kvm_has(k, FEATURE_EPT) && !(cr0 & CR0_PG));
}

static enum cpu_stop_kind step_outside(struct kvm_vcpu *k, bool step)
{
    struct cpu *c = k->cpu;
    enum cpu_stop_kind stop = STOP_DEADLINE;
    if (k->queued.valid) {
        k->queued.valid = false;
        stop = cpu_deliver(c, &k->queued.trap);
    } else if (vcpu_nmi_pending(k->v)) {
        struct trap nmi = vcpu_nmi_take(k->v);
        kvm_charge(k, EV_KVM_INJECT);
        stop = cpu_deliver(c, &nmi);
    } else if (vcpu_intr_pending(k->v) && cpu_interruptible(c)) {
        kvm_charge(k, EV_KVM_INJECT);
        stop = cpu_interrupt(c, vcpu_intr_acknowledge(k->v));
    }
    if (stop != STOP_DEADLINE || c->state.activity == CPU_HALTED)
        return stop == STOP_DEADLINE ? STOP_HLT : stop;
    if (!step && cpu_check_break(c) == STOP_BREAK)
        return STOP_BREAK;
    kvm_charge(k, EV_KVM_EMULATED);
    k->emulated++;
    return cpu_step(c);
}

bool kvm_emulate_mode(struct kvm_vcpu *k, cycles_t deadline, bool step, struct exit *e)
{
    static const enum exit_kind exit_of[] = { [STOP_HLT] = EXIT_HLT, [STOP_SHUTDOWN] = EXIT_SHUTDOWN, [STOP_BREAK] = EXIT_DEBUG };
    struct cpu *c = k->cpu;
    kvm_put(k);
    while (kvm_needs_emulation(k)) {
        enum cpu_stop_kind stop = step_outside(k, step);
        e->kind = stop == STOP_DEADLINE ? step ? EXIT_DEBUG : c->attention ? EXIT_KICKED : EXIT_DEADLINE : exit_of[stop];
        if (stop != STOP_DEADLINE || step || c->attention || c->clock->now >= deadline)
            return false;
    }
    k->fresh = true;
    return true;
}
