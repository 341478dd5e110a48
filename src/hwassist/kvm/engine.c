/* SPDX-License-Identifier: MIT */
/* The model backend: VMs and vcpus of the small KVM, and its vcpu_run(). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hwassist/kvm/kvm.h"

static int model_probe(char *detail, size_t size, struct error *why)
{
    snprintf(detail, size, "VT-x as a model, with a small KVM on it");
    return 0;
}

static int model_vm_init(struct vm *vm, struct error *err)
{
    struct kvm_vm *kvm = calloc(1, sizeof *kvm);
    kvm->backend = &kvm_model_backend;
    if (vmx_features_parse(vm->config.hw, &kvm->features, err) < 0 || hostmem_init(&kvm->host, err) < 0) {
        free(kvm);
        return -1;
    }
    kvm->irqchip = vm->config.model_irqchip;
    if (kvm->irqchip == IRQCHIP_OFF)
        kvm->features &= ~(u32)(FEATURE_TPR | FEATURE_APIC_ACCESS | FEATURE_APICV | FEATURE_PI | FEATURE_TIMER); /* they serve a local APIC of the kernel's */
    kvm_ept_init(kvm);
    if (kvm_apic_vm_init(kvm, vm, err) < 0) {
        hostmem_fini(&kvm->host);
        free(kvm);
        return -1;
    }
    if (kvm->ept_root)
        physmap_observe(&vm->map, &kvm->observer);
    vm->engine_data = kvm;
    return 0;
}

static void model_vm_fini(struct vm *vm)
{
    struct kvm_vm *kvm = vm->engine_data;
    if (kvm->ept_root)
        physmap_unobserve(&vm->map, &kvm->observer);
    kvm_apic_vm_fini(kvm, vm);
    hostmem_fini(&kvm->host);
    free(kvm);
    vm->engine_data = NULL;
}

/* The emulator's instructions cost what their exit's formula says, nothing by themselves. */
static int init_emulator(struct kvm_vcpu *k, struct error *err)
{
    struct cpu *e = &k->emulator, *c = k->cpu;
    if (cpu_init(e, c->model, c->mmu.map, c->clock, c->ledger, &k->v->vm->profile, c->tracer, err) < 0)
        return -1;
    e->env = c->env;
    e->env_opaque = c->env_opaque;
    for (unsigned i = 0; i < COST_COUNT; i++)
        e->cost[i] = 0;
    e->cost_exc = e->cost_pf = e->cost_intr = e->cost_mmio = e->cost_tlb_ref = 0;
    return 0;
}

static int model_vcpu_init(struct vcpu *v, struct error *err)
{
    struct kvm_vcpu *k = aligned_alloc(_Alignof(struct kvm_vcpu), sizeof *k);
    *k = (struct kvm_vcpu){ .v = v, .vm = v->vm->engine_data, .cpu = &v->cpu, .fresh = true };
    if (init_emulator(k, err) < 0) {
        free(k);
        return -1;
    }
    if (!kvm_has(k, FEATURE_EPT) && shadow_init(&k->shadow, v->cpu.mmu.map, &k->emulator.mmu, &k->vm->host, err) < 0) {
        cpu_fini(&k->emulator);
        free(k);
        return -1;
    }
    if (kvm_setup_vmcs(k, err) < 0) {
        shadow_fini(&k->shadow);
        cpu_fini(&k->emulator);
        free(k);
        return -1;
    }
    v->cpu.cost_mmio = 0; /* devices' memory exits: what is reached without is the virtual-APIC page, and that is memory */
    v->engine_data = k;
    return 0;
}

static void model_vcpu_fini(struct vcpu *v)
{
    struct kvm_vcpu *k = v->engine_data;
    kvm_put(k);
    shadow_fini(&k->shadow);
    cpu_fini(&k->emulator);
    free(k);
    v->engine_data = NULL;
}

/* --- vcpu_run --- */

static bool wakes(const struct kvm_vcpu *k) { return k->queued.valid || vcpu_nmi_pending(k->v) || (vcpu_intr_pending(k->v) && cpu_interruptible(k->cpu)); }

/* Is there something for the run loop before the guest is entered? */
static bool must_return(struct kvm_vcpu *k, cycles_t deadline, struct exit *e)
{
    struct cpu *c = k->cpu;
    if (k->watched)
        e->kind = EXIT_DEBUG;
    else if (c->attention)
        e->kind = EXIT_KICKED;
    else if (c->state.activity == CPU_HALTED && !wakes(k))
        e->kind = EXIT_HLT;
    else if (c->clock->now >= deadline)
        e->kind = EXIT_DEADLINE;
    else
        return false;
    return true;
}

/* The memory map changed: EPT entries and everything cached from them go. */
static void refresh_ept(struct kvm_vcpu *k)
{
    if (!k->vm->ept_root || !k->vm->ept_stale)
        return;
    kvm_ept_zap(k->vm);
    vmx_invept(&k->vmx, INVEPT_SINGLE, vmcs_get(&k->vmx.vmcs, VMCSI_EPT_POINTER), 0);
}

static bool failed(struct kvm_vcpu *k, struct exit *e)
{
    e->kind = EXIT_STOPPED;
    snprintf(e->stopped.reason, sizeof e->stopped.reason, "VM entry failed with VM-instruction error %" PRIu64, vmcs_get(&k->vmx.vmcs, VMCSI_INSN_ERROR));
    return false;
}

static bool leave(struct exit *e, enum exit_kind kind)
{
    e->kind = kind;
    return false;
}

/* One entry and what comes of it. True: once more. */
static bool enter(struct kvm_vcpu *k, cycles_t deadline, bool step, struct exit *e)
{
    kvm_halt_enter(k);
    kvm_load(k);
    refresh_ept(k);
    kvm_prepare_injection(k);
    kvm_refresh_root(k);
    kvm_apic_enter(k);
    kvm_timer_enter(k);
    enum vmx_outcome outcome = vmx_enter(&k->vmx, !k->vmx.vmcs.launched, deadline, step);
    kvm_apic_leave(k);
    k->quiet = outcome == VMX_DEADLINE || outcome == VMX_ATTENTION;
    switch (outcome) {
    case VMX_EXIT: return kvm_handle_exit(k, e);
    case VMX_FAIL: return failed(k, e);
    case VMX_DEADLINE: return leave(e, EXIT_DEADLINE);
    case VMX_HALTED: return leave(e, EXIT_HLT);
    case VMX_DEBUG: return leave(e, EXIT_DEBUG);
    case VMX_ATTENTION: return leave(e, EXIT_KICKED);
    case VMX_ABORT: return failed(k, e);
    }
    return false;
}

static bool once(struct kvm_vcpu *k, cycles_t deadline, bool step, struct exit *e)
{
    return kvm_needs_emulation(k) ? kvm_emulate_mode(k, deadline, step, e) : enter(k, deadline, step, e);
}

static void finish(struct kvm_vcpu *k, struct exit *e)
{
    kvm_put(k);
    if (e->kind == EXIT_HLT)
        kvm_halt_begin(k);
    if (e->kind == EXIT_DEBUG)
        k->watched = false;
    if (e->kind == EXIT_KICKED)
        k->cpu->attention = 0;
}

static void model_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct kvm_vcpu *k = v->engine_data;
    if (k->halt.waits && k->cpu->state.activity == CPU_HALTED && wakes(k))
        kvm_halt_end(k);
    while (!must_return(k, deadline, e) && once(k, deadline, false, e))
        ;
    finish(k, e);
}

/* One guest instruction: hidden faults and windows on the way do not count as one. */
static void model_step(struct vcpu *v, struct exit *e)
{
    struct kvm_vcpu *k = v->engine_data;
    u64 before = k->cpu->icount;
    e->kind = EXIT_DEBUG;
    while (k->cpu->icount == before && !must_return(k, CLOCK_NEVER, e) && once(k, CLOCK_NEVER, true, e))
        ;
    finish(k, e);
}

static void model_kick(struct vcpu *v) { cpu_kick(&v->cpu); }

/* The canonical state stands between two instructions and has no place for an event that waits for an entry to bring it: it is
 * delivered here, on the guest's own paging. Otherwise an interrupt that its controller has given away would be lost with this engine. */
static void deliver_queued(struct kvm_vcpu *k)
{
    if (!k->queued.valid)
        return;
    k->queued.valid = false;
    k->fresh = true;
    cpu_deliver(k->cpu, &k->queued.trap);
}

static void model_get_state(struct vcpu *v, struct cpu_state *s)
{
    kvm_put(v->engine_data);
    deliver_queued(v->engine_data);
    *s = v->cpu.state;
}

static void model_set_state(struct vcpu *v, const struct cpu_state *s)
{
    struct kvm_vcpu *k = v->engine_data;
    kvm_put(k);
    k->queued.valid = false;
    k->halt.waits = k->halt.owes_entry = false;
    k->fresh = true;
    cpu_set_state(&v->cpu, s);
}

/* --- several machines on one processor --- */

static bool is_model(const struct vm *vm) { return *(const struct engine_ops *const *)vm->engine_data == &kvm_model_backend; }

bool kvm_switch(struct vm *from, struct vm *to, struct tlb_loss *loss)
{
    if (from->engine != &kvm_engine || to->engine != &kvm_engine || !is_model(from) || !is_model(to))
        return false;
    struct mmu *mmu = &vm_current(to)->cpu.mmu;
    bool vpid = ((const struct kvm_vm *)to->engine_data)->features & FEATURE_VPID;
    for (unsigned i = 0; i < from->nvcpus; i++)
        kvm_halt_disturb(from->vcpu[i]->engine_data);
    *loss = mmu_compete(mmu, &vm_current(from)->cpu.mmu);
    ledger_charge(&to->ledger, EV_KVM_VM_SWITCH);
    if (vpid)
        return true;
    loss->lost = loss->held;
    mmu_flush(mmu, true);
    if (!to->config.timing_model)
        ledger_charge(&to->ledger, EV_KVM_TLB_REFILL);
    return true;
}

/* --- for people --- */

static void print_exits(const struct vmx *x, FILE *out)
{
    for (unsigned i = 0; i < REASON_COUNT; i++)
        if (x->exits[i])
            fprintf(out, "  %3u %-24s %12" PRIu64 "\n", i, vmx_reason_names[i], x->exits[i]);
}

static void print_memory(const struct kvm_vcpu *k, FILE *out)
{
    const struct shadow *s = &k->shadow;
    const struct walk_caches *w = &k->cpu->mmu.caches;
    if (k->vm->ept_root) {
        fprintf(out, "EPT: %" PRIu64 " entries filled, %" PRIu64 " of them large pages\n", k->vm->ept_fills, k->vm->ept_large_fills);
        if (!k->cpu->accel) /* an accelerator looks things up for itself too: its walks are not the processor's */
            fprintf(out, "EPT: %" PRIu64 " references of walks\n", k->vmx.ept.refs);
        if (w->saved)
            fprintf(out, "walk caches: %" PRIu64 " hits of paging-structure entries, %" PRIu64 " of the nested TLB: %" PRIu64 " references saved\n", w->entry_hits,
                    w->nested_hits, w->saved);
    } else
        fprintf(out, "shadow: %" PRIu64 " entries filled, %" PRIu64 " zapped, %" PRIu64 " tables zapped, %" PRIu64 " of them for floods of writes\n",
                s->fills, s->zapped_entries, s->zapped_pages, s->unshadowed);
    if (k->apic_page)
        fprintf(out, "virtual APIC: %" PRIu64 " writes without an exit, %" PRIu64 " interrupts delivered, %" PRIu64 " of them posted\n",
                k->vmx.virtual_writes, k->vmx.virtual_interrupts, k->vmx.posted_interrupts);
    if (!kvm_has(k, FEATURE_VPID))
        fprintf(out, "TLB flushes for want of VPID: %" PRIu64 "\n", k->vmx.tlb_flushes);
}

static void print_vcpu(const struct kvm_vcpu *k, FILE *out)
{
    if (k->v->vm->nvcpus > 1)
        fprintf(out, "processor %u:\n", k->v->index);
    fprintf(out, "%" PRIu64 " entries, %" PRIu64 " VMREADs, %" PRIu64 " VMWRITEs, %" PRIu64 " instructions emulated\n", k->vmx.entries, k->vmx.vmcs.reads,
            k->vmx.vmcs.writes, k->emulated);
    print_exits(&k->vmx, out);
    print_memory(k, out);
}

static void model_info(const struct vm *vm, void *file)
{
    const struct kvm_vm *kvm = vm->engine_data;
    char features[160];
    vmx_features_format(kvm->features, features, sizeof features);
    fprintf(file, "VT-x model, --hw=%s: ", features);
    for (unsigned i = 0; i < vm->nvcpus; i++)
        print_vcpu(vm->vcpu[i]->engine_data, file);
}

const struct engine_ops kvm_model_backend = {
    .name = "kvm",
    .help = "VT-x as a model, with a small KVM on it",
    .image = "native",
    .probe = model_probe,
    .vm_init = model_vm_init,
    .vm_fini = model_vm_fini,
    .vcpu_init = model_vcpu_init,
    .vcpu_fini = model_vcpu_fini,
    .run = model_run,
    .step = model_step,
    .kick = model_kick,
    .get_state = model_get_state,
    .set_state = model_set_state,
    .info = model_info,
};
