/* SPDX-License-Identifier: MIT */
/* Control-register exits. With EPT few are left: changes of mode. Without, each CR3 load and each change of CR0 and CR4. */
#include "hwassist/kvm/kvm.h"

static u64 operand(const struct kvm_vcpu *k, u64 qualification)
{
    u64 value = k->cpu->state.gpr[qualification >> 8 & 15];
    return state_code_bits(&k->cpu->state) == 64 ? value : (u32)value;
}

/* What the instruction wants CR0 or CR4 to be. */
static u64 wanted(const struct kvm_vcpu *k, u64 q)
{
    const u64 msw = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
    u64 cr0 = kvm_guest_crs(k).cr0;
    switch ((enum cr_access)(q >> 4 & 3)) {
    case CR_ACCESS_CLTS: return cr0 & ~(u64)CR0_TS;
    case CR_ACCESS_LMSW: return (cr0 & ~msw) | (q >> 16 & msw) | (cr0 & CR0_PE);
    default: return operand(k, q);
    }
}

/* The processor itself checks and does the write, in the real register; what VMX fixes is put back, and the shadow follows. */
static bool write_with_ept(struct kvm_vcpu *k, unsigned cr, u64 value)
{
    struct cpu_state *s = &k->cpu->state;
    struct guest_crs g = kvm_guest_crs(k);
    s->cr0 = g.cr0;
    s->cr4 = g.cr4;
    bool ok = cpu_write_cr(k->cpu, cr, value);
    g.cr0 = s->cr0;
    g.cr4 = s->cr4;
    g.cr3 = s->cr3;
    g.efer = s->efer;
    s->cr0 |= CR0_NE;
    s->cr4 |= CR4_VMXE;
    kvm_adopt_crs(k, &g);
    return ok;
}

/* The second dimension refused the PAE pointers' page: fill it and let the guest try again. */
static bool retry_pdptes(struct kvm_vcpu *k)
{
    const struct mmu_fault *f = &k->cpu->mmu.pdpte_fault;
    return f->kind == FAULT_STAGE2 && kvm_ept_fill(k, f->gpa, false) == TDP_FILLED;
}

static bool on_write_with_ept(struct kvm_vcpu *k, unsigned cr, u64 value)
{
    k->cpu->mmu.pdpte_fault.kind = FAULT_NONE;
    if (write_with_ept(k, cr, value))
        kvm_skip(k);
    else if (!retry_pdptes(k))
        kvm_queue_exception(k, VEC_GP, true, 0);
    return true;
}

bool kvm_on_cr_access(struct kvm_vcpu *k, struct exit *e)
{
    u64 q = vmread(&k->vmx.vmcs, EXIT_QUALIFICATION);
    enum cr_access access = q >> 4 & 3;
    unsigned cr = access == CR_ACCESS_WRITE || access == CR_ACCESS_READ ? q & 15 : 0;
    kvm_charge(k, cr == 3 ? EV_KVM_CR3 : EV_KVM_CR_ACCESS);
    if (kvm_has(k, FEATURE_EPT) && access != CR_ACCESS_READ)
        return on_write_with_ept(k, cr, wanted(k, q));
    if (cr == 3 && access == CR_ACCESS_WRITE)
        k->shadow.stale = true;
    if (kvm_emulate(k))
        return true;
    e->kind = EXIT_SHUTDOWN;
    return false;
}
