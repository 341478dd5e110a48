/* SPDX-License-Identifier: MIT */
/* A new vcpu's VMCS: what exits, and the host to come back to. */
#include "hwassist/kvm/kvm.h"

#include <string.h>

/* MSRs that the guest reads and writes itself: they are loaded and saved with it. Everything else exits. */
static const u32 passed_through[] = { 0x174, 0x175, 0x176 /* SYSENTER */, 0xc0000100, 0xc0000101, 0xc0000102 /* FS, GS, kernel GS base */,
                                      0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084 /* STAR to SFMASK */ };

/* SDM vol. 3, 25.6.9: four bitmaps of 1 KiB: read low, read high, write low, write high. */
static void pass_through(u8 *bitmap, u32 msr)
{
    u32 at = (msr >= 0xc0000000 ? 1024 * 8 : 0) + (msr & 0x1fff);
    bitmap[at / 8] &= ~(1 << at % 8);
    bitmap[2048 + at / 8] &= ~(1 << at % 8);
}

static hpa_t new_msr_bitmap(struct hostmem *h)
{
    hpa_t frame = hostmem_alloc(h);
    u8 *bitmap = (u8 *)hostmem_table(h, frame);
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        bitmap[i] = 0xff;
    for (unsigned i = 0; i < ARRAY_LEN(passed_through); i++)
        pass_through(bitmap, passed_through[i]);
    return frame;
}

/* All ports exit; or all but the one that KVM left to guests for years, the POST card's, where nothing answers. */
static u32 io_control(struct kvm_vcpu *k)
{
    enum { POST_PORT = 0x80 };
    struct vmcs *c = &k->vmx.vmcs;
    if (!kvm_has(k, FEATURE_EXITLESS_IO))
        return PROC_IO;
    hpa_t a = hostmem_alloc(&k->vm->host), b = hostmem_alloc(&k->vm->host);
    memset(hostmem_table(&k->vm->host, a), 0xff, PAGE_SIZE);
    memset(hostmem_table(&k->vm->host, b), 0xff, PAGE_SIZE);
    ((u8 *)hostmem_table(&k->vm->host, a))[POST_PORT / 8] &= ~BIT(POST_PORT % 8);
    vmwrite(c, IO_BITMAP_A, a);
    vmwrite(c, IO_BITMAP_B, b);
    return PROC_IO_BITMAPS;
}

/* Bits that the monitor keeps to itself. With EPT: what changes the mode, and what VMX fixes. Without: all that the shadow
 * tables depend on, and everything else but the bits of lazy FPU switching, as KVM did. */
static u64 cr0_mask(const struct kvm_vcpu *k)
{
    return kvm_has(k, FEATURE_EPT) ? CR0_PE | CR0_NE | CR0_NW | CR0_CD | CR0_PG : 0xffffffff & ~(u64)(CR0_MP | CR0_EM | CR0_TS);
}
static u64 cr4_mask(const struct kvm_vcpu *k)
{
    return kvm_has(k, FEATURE_EPT) ? CR4_VMXE | CR4_PAE : CR4_VMXE | CR4_PAE | CR4_PSE | CR4_PGE;
}

static void setup_execution(struct kvm_vcpu *k)
{
    struct vmcs *c = &k->vmx.vmcs;
    bool ept = kvm_has(k, FEATURE_EPT);
    u32 paging = ept ? 0 : PROC_CR3_LOAD | PROC_CR3_STORE | PROC_INVLPG;
    vmwrite(c, PIN_CONTROLS, k->vmx.caps.pin.must | PIN_EXTINT | PIN_NMI | PIN_VIRTUAL_NMI);
    vmwrite(c, PROC_CONTROLS, k->vmx.caps.proc.must | PROC_HLT | io_control(k) | PROC_DR | PROC_MWAIT | PROC_MONITOR | PROC_RDPMC | PROC_TSC_OFFSET |
                                  PROC_MSR_BITMAPS | PROC_SECONDARY | paging);
    vmwrite(c, PROC2_CONTROLS, PROC2_WBINVD | (ept ? PROC2_EPT : 0) | (kvm_has(k, FEATURE_VPID) ? PROC2_VPID : 0) |
                                   (kvm_has(k, FEATURE_UG) ? PROC2_UG : 0));
    vmwrite(c, EXCEPTION_BITMAP, BIT(VEC_MC) | (ept ? 0 : BIT(VEC_PF)));
    vmwrite(c, MSR_BITMAP, new_msr_bitmap(&k->vm->host));
    vmwrite(c, CR0_MASK, cr0_mask(k));
    vmwrite(c, CR4_MASK, cr4_mask(k));
    if (kvm_has(k, FEATURE_VPID))
        vmwrite(c, VPID, 1 + k->v->index);
    if (ept)
        vmwrite(c, EPT_POINTER, k->vm->ept_root | EPTP_WB | EPTP_WALK_4 | (kvm_has(k, FEATURE_EPT_AD) ? EPTP_AD : 0));
}

static void setup_transitions(struct kvm_vcpu *k)
{
    struct vmcs *c = &k->vmx.vmcs;
    vmwrite(c, EXIT_CONTROLS, k->vmx.caps.exit.must | EXIT_HOST_64 | EXIT_ACK_INTR | EXIT_SAVE_EFER | EXIT_LOAD_EFER);
    vmwrite(c, ENTRY_CONTROLS, k->vmx.caps.entry.must | ENTRY_LOAD_EFER);
}

/* The modelled host: a 64-bit kernel. Nothing of it runs, but the entry checks it. */
static void setup_host(struct vmcs *c)
{
    const u64 kernel = 0xffffffff80000000;
    vmwrite(c, HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_PE);
    vmwrite(c, HOST_CR4, CR4_PAE | CR4_VMXE);
    vmwrite(c, HOST_CR3, HOST_POOL_HPA);
    vmwrite(c, HOST_EFER, EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
    vmwrite(c, HOST_CS_SELECTOR, 0x10);
    vmwrite(c, HOST_SS_SELECTOR, 0x18);
    vmwrite(c, HOST_TR_SELECTOR, 0x40);
    vmwrite(c, HOST_GDTR_BASE, kernel);
    vmwrite(c, HOST_IDTR_BASE, kernel + 0x1000);
    vmwrite(c, HOST_TR_BASE, kernel + 0x2000);
    vmwrite(c, HOST_RSP, kernel + 0x8000);
    vmwrite(c, HOST_RIP, kernel + 0x100000);
}

int kvm_setup_vmcs(struct kvm_vcpu *k, struct error *err)
{
    vmx_init(&k->vmx, k->cpu, &k->vm->host, k->vm->features);
    if (vmx_begin(&k->vmx))
        return error_set(err, "no memory of the modelled host is left for another processor's VMCS; use a smaller -smp");
    setup_execution(k);
    setup_transitions(k);
    kvm_apic_setup(k);
    setup_host(&k->vmx.vmcs);
    return 0;
}
