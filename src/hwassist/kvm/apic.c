/* SPDX-License-Identifier: MIT */
/*
 * The guest's local APIC, served by the processor as far as it can (SDM vol. 3, chapter 30). The machine has the one true
 * local APIC; before an entry its registers go into the virtual-APIC page, behind an exit what the processor has changed there comes
 * back. With posted interrupts, a request that has come since the guest left quietly (that is: while it ran, as far as the
 * modelled host is concerned) goes into the descriptor instead, and a notification follows.
 */
#include <string.h>

#include "devices/interrupt/apic.h"
#include "hwassist/kvm/kvm.h"

#define NOTIFICATION_VECTOR 0xf2

/* --- set-up --- */

int kvm_apic_vm_init(struct kvm_vm *vm, struct vm *machine, struct error *err)
{
    bool wanted = vm->features & FEATURE_APIC_ACCESS && machine->platform.apic;
    vm->apic.hpa = wanted ? hostmem_alloc(&vm->host) : 0;
    if (!wanted)
        return 0;
    return physmap_add_mmio(&machine->map, "apic-access", vapic_window(vm->apic.hpa), PAGE_SIZE, &vapic_window_ops, &vm->apic, err);
}

void kvm_apic_vm_fini(struct kvm_vm *vm, struct vm *machine)
{
    machine->posts_interrupts = machine->host_interrupted = false;
    if (vm->apic.hpa)
        physmap_remove(&machine->map, vapic_window(vm->apic.hpa), PAGE_SIZE);
}

void kvm_apic_setup(struct kvm_vcpu *k)
{
    struct vmcs *c = &k->vmx.vmcs;
    if (!k->vm->apic.hpa)
        return;
    k->vmx.apic = &k->vm->apic;
    k->shadow.apic_gpa = KVM_LAPIC_GPA;
    k->shadow.apic_access = k->vm->apic.hpa;
    k->apic_page = hostmem_alloc(&k->vm->host);
    vmwrite(c, VIRTUAL_APIC_ADDR, k->apic_page);
    vmwrite(c, APIC_ACCESS_ADDR, k->vm->apic.hpa);
    vmwrite(c, PROC_CONTROLS, vmread(c, PROC_CONTROLS) | PROC_TPR_SHADOW);
    if (!kvm_has(k, FEATURE_PI))
        return;
    k->v->vm->posts_interrupts = true;
    k->posted = hostmem_alloc(&k->vm->host);
    vmwrite(c, POSTED_INTR_DESC, k->posted);
    vmwrite(c, POSTED_INTR_VECTOR, NOTIFICATION_VECTOR);
}

/* The guest may turn its APIC off and on (IA32_APIC_BASE). */
static void switch_controls(struct kvm_vcpu *k, bool on)
{
    struct vmcs *c = &k->vmx.vmcs;
    u64 bits = PROC2_APIC_ACCESSES | (kvm_has(k, FEATURE_APICV) ? PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS : 0);
    u64 pin = vmcs_get(c, VMCSI_PIN_CONTROLS) & ~(u64)PIN_POSTED, proc2 = vmcs_get(c, VMCSI_PROC2_CONTROLS) & ~bits;
    k->apic_on = on;
    vmwrite(c, PROC2_CONTROLS, proc2 | (on ? bits : 0));
    vmwrite(c, PIN_CONTROLS, pin | (on && k->posted ? PIN_POSTED : 0));
}

/* --- before an entry --- */

static u32 *reg(u8 *page, u32 offset) { return (u32 *)(page + offset); }

static u8 highest(u8 *page, u32 set)
{
    for (int i = 7; i >= 0; i--)
        if (*reg(page, set + 16 * i))
            return 32 * i + 31 - __builtin_clz(*reg(page, set + 16 * i));
    return 0;
}

/* Which ends must be heard of: those of level-triggered interrupts. */
static void write_eoi_bitmap(struct kvm_vcpu *k, u8 *page)
{
    for (unsigned i = 0; i < 4; i++) {
        u64 level = *reg(page, VAPIC_TMR + 32 * i) | (u64)*reg(page, VAPIC_TMR + 32 * i + 16) << 32;
        if (vmcs_get(&k->vmx.vmcs, VMCSI_EOI_EXIT_BITMAP0 + i) != level)
            vmcs_write(&k->vmx.vmcs, VMCSI_EOI_EXIT_BITMAP0 + i, level);
    }
}

/* Requests that are new go by the descriptor; how many. */
static unsigned post_new(struct kvm_vcpu *k, u8 *page, const u32 before[8])
{
    struct posted *d = (struct posted *)hostmem_table(&k->vm->host, k->posted);
    unsigned n = 0;
    for (unsigned v = 0; v < 256; v++) {
        u32 *irr = reg(page, VAPIC_IRR + v / 32 * 16);
        if (!(*irr & ~before[v / 32] & BIT(v % 32)))
            continue;
        *irr &= ~(u32)BIT(v % 32);
        posted_request(d, v);
        n++;
    }
    return n;
}

static void write_status(struct kvm_vcpu *k, u8 *page)
{
    u64 status = highest(page, VAPIC_IRR) | highest(page, VAPIC_ISR) << 8;
    if (vmcs_get(&k->vmx.vmcs, VMCSI_GUEST_INTR_STATUS) != status)
        vmwrite(&k->vmx.vmcs, GUEST_INTR_STATUS, status);
}

/* A request that only the task priority holds back: tell when it falls below. */
static void write_threshold(struct kvm_vcpu *k, u8 *page)
{
    u8 request = highest(page, VAPIC_IRR) >> 4, tpr = *reg(page, VAPIC_TPR) >> 4 & 15;
    u64 threshold = request && request <= tpr ? request : 0;
    if (vmcs_get(&k->vmx.vmcs, VMCSI_TPR_THRESHOLD) != threshold)
        vmwrite(&k->vmx.vmcs, TPR_THRESHOLD, threshold);
}

void kvm_apic_enter(struct kvm_vcpu *k)
{
    u8 *page = (u8 *)hostmem_table(&k->vm->host, k->apic_page);
    u32 before[8];
    unsigned posted = 0;
    if (!page)
        return;
    for (unsigned i = 0; i < 8; i++)
        before[i] = *reg(page, VAPIC_IRR + 16 * i);
    bool on = apic_export(k->v->vm->platform.apic, k->v->index, page);
    if (on != k->apic_on)
        switch_controls(k, on);
    if (!on)
        return;
    if (!kvm_has(k, FEATURE_APICV)) {
        write_threshold(k, page);
        return;
    }
    write_eoi_bitmap(k, page);
    if (k->posted && k->quiet)
        posted = post_new(k, page, before);
    write_status(k, page);
    if (posted)
        vapic_notified(&k->vmx, NOTIFICATION_VECTOR);
    ledger_charge_n(k->cpu->ledger, EV_KVM_POSTED, posted);
}

bool kvm_apic_delivers(const struct kvm_vcpu *k)
{
    return k->apic_on && kvm_has(k, FEATURE_APICV) && !apic_is_external(k->v->vm->platform.apic, k->v->index);
}

/* --- behind an exit --- */

/* The wire to the processor may rise by it: no reason to leave. */
void kvm_apic_leave(struct kvm_vcpu *k)
{
    u32 attention = k->cpu->attention;
    if (!k->apic_on)
        return;
    apic_import(k->v->vm->platform.apic, k->v->index, (const u8 *)hostmem_table(&k->vm->host, k->apic_page));
    k->cpu->attention = attention;
    ledger_charge_n(k->cpu->ledger, EV_KVM_VIRTUAL_INTR, k->vmx.virtual_interrupts - k->virtual_seen);
    k->virtual_seen = k->vmx.virtual_interrupts;
}

bool kvm_on_apic_access(struct kvm_vcpu *k, struct exit *e) { return kvm_emulate_access(k, e); }

/* The value is in the page; what the register does is the machine's APIC's business. */
bool kvm_on_apic_write(struct kvm_vcpu *k, struct exit *e)
{
    u64 offset = vmread(&k->vmx.vmcs, EXIT_QUALIFICATION) & 0xff0;
    u32 value = *reg((u8 *)hostmem_table(&k->vm->host, k->apic_page), offset);
    physmap_store(&k->v->vm->map, KVM_LAPIC_GPA + offset, sizeof value, value);
    return true;
}

bool kvm_on_eoi(struct kvm_vcpu *k, struct exit *e)
{
    apic_ended(k->v->vm->platform.apic, k->v->index, vmread(&k->vmx.vmcs, EXIT_QUALIFICATION));
    return true;
}
