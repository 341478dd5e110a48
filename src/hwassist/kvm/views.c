/* SPDX-License-Identifier: MIT */
/*
 * Two views of the control registers: what the guest believes to have, and what the hardware needs while it runs.
 *
 *              with EPT            without EPT (the guest's paging is shadowed)
 *     CR0      guest | NE          guest | PG | WP | NE
 *     CR3      guest's             the shadow root
 *     CR4      guest | VMXE        guest | PAE | VMXE, without PSE, PGE
 *     EFER     guest's             guest's; LME only with LMA, since the hardware pages in any case
 */
#include "hwassist/kvm/kvm.h"

#include <string.h>

/* Bits that change what a shadow page means: all shadow pages go when one of them changes. */
#define SHADOW_CR0 (CR0_PG | CR0_WP)
#define SHADOW_CR4 (u64)(CR4_PAE | CR4_PSE)

static bool has_ept(const struct kvm_vcpu *k) { return kvm_has(k, FEATURE_EPT); }

struct guest_crs kvm_guest_crs(const struct kvm_vcpu *k)
{
    const struct cpu_state *s = &k->cpu->state;
    const struct vmcs *c = &k->vmx.vmcs;
    struct guest_crs g = { s->cr0, s->cr3, s->cr4, s->efer };
    memcpy(g.pdpte, s->pdpte, sizeof g.pdpte);
    if (!k->loaded)
        return g;
    u64 mask0 = vmcs_get(c, VMCSI_CR0_MASK), mask4 = vmcs_get(c, VMCSI_CR4_MASK);
    g.cr0 = (s->cr0 & ~mask0) | (vmcs_get(c, VMCSI_CR0_SHADOW) & mask0);
    g.cr4 = (s->cr4 & ~mask4) | (vmcs_get(c, VMCSI_CR4_SHADOW) & mask4);
    if (!has_ept(k)) {
        g.cr3 = k->guest.cr3;
        g.efer = k->guest.efer;
        memcpy(g.pdpte, k->guest.pdpte, sizeof g.pdpte);
    }
    return g;
}

/* A field that is the same already need not be written: a write makes the processor check and derive anew. */
static void write_if_new(struct vmcs *c, enum vmcs_index i, u64 value)
{
    if (vmcs_get(c, i) != value)
        vmcs_write(c, i, value);
}

static void write_shadows(struct kvm_vcpu *k, const struct guest_crs *g)
{
    struct vmcs *c = &k->vmx.vmcs;
    u64 entry = vmcs_get(c, VMCSI_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E;
    write_if_new(c, VMCSI_CR0_SHADOW, g->cr0);
    write_if_new(c, VMCSI_CR4_SHADOW, g->cr4);
    write_if_new(c, VMCSI_ENTRY_CONTROLS, entry | (g->efer & EFER_LMA ? ENTRY_IA32E : 0));
}

static void write_hardware(struct kvm_vcpu *k, const struct guest_crs *g)
{
    struct vmcs *c = &k->vmx.vmcs;
    bool ept = has_ept(k);
    write_if_new(c, VMCSI_GUEST_CR0, g->cr0 | CR0_NE | (ept ? 0 : CR0_PG | CR0_WP));
    write_if_new(c, VMCSI_GUEST_CR4, ept ? g->cr4 | CR4_VMXE : (g->cr4 & ~(u64)(CR4_PSE | CR4_PGE)) | CR4_PAE | CR4_VMXE);
    write_if_new(c, VMCSI_GUEST_EFER, ept || g->efer & EFER_LMA ? g->efer : g->efer & ~(u64)EFER_LME);
}

/* The hardware's CR3 is the root of the guest's shadow; its PAE pointers are in the root's frame. */
static void write_root(struct kvm_vcpu *k)
{
    hpa_t root = shadow_load_root(&k->shadow);
    vmwrite(&k->vmx.vmcs, GUEST_CR3, root);
    memcpy(k->cpu->state.pdpte, hostmem_table(&k->vm->host, root), sizeof k->cpu->state.pdpte);
}

static void emulator_follows(struct kvm_vcpu *k, const struct guest_crs *g)
{
    mmu_load_regs(&k->emulator.mmu, g->cr0, g->cr3, g->cr4, g->efer, g->pdpte);
}

void kvm_load(struct kvm_vcpu *k)
{
    if (k->loaded)
        return;
    k->guest = kvm_guest_crs(k);
    k->loaded = true;
    write_shadows(k, &k->guest);
    if (has_ept(k)) { /* the paging unit cares for none of the bits that differ: nothing to reload */
        k->cpu->state.cr0 |= CR0_NE;
        k->cpu->state.cr4 |= CR4_VMXE;
    } else {
        write_hardware(k, &k->guest);
        emulator_follows(k, &k->guest);
        k->shadow.stale = true;
    }
    if (k->fresh)
        k->vmx.vmcs.dirty |= DIRTY_GUEST;
    k->fresh = false;
}

void kvm_put(struct kvm_vcpu *k)
{
    struct cpu_state *s = &k->cpu->state;
    if (!k->loaded)
        return;
    struct guest_crs g = kvm_guest_crs(k);
    k->loaded = false;
    s->cr0 = g.cr0;
    s->cr3 = g.cr3;
    s->cr4 = g.cr4;
    s->efer = g.efer;
    memcpy(s->pdpte, g.pdpte, sizeof s->pdpte);
    vmx_leave(&k->vmx);
    if (!has_ept(k))
        cpu_state_changed(k->cpu);
}

static bool shadow_meaning_changed(const struct guest_crs *a, const struct guest_crs *b)
{
    return ((a->cr0 ^ b->cr0) & SHADOW_CR0) || ((a->cr4 ^ b->cr4) & SHADOW_CR4) || a->efer != b->efer;
}

void kvm_adopt_crs(struct kvm_vcpu *k, const struct guest_crs *n)
{
    bool changed = shadow_meaning_changed(&k->guest, n);
    k->guest = *n;
    write_shadows(k, n);
    write_hardware(k, n);
    if (has_ept(k)) {
        write_if_new(&k->vmx.vmcs, VMCSI_GUEST_CR3, n->cr3);
        return;
    }
    if (changed)
        shadow_zap_all(&k->shadow);
    k->shadow.stale = true;
}

/* Called before each entry by the run loop's side. */
void kvm_refresh_root(struct kvm_vcpu *k)
{
    if (!has_ept(k) && k->shadow.stale)
        write_root(k);
}
