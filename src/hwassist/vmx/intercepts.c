/* SPDX-License-Identifier: MIT */
/* Execution controls (SDM vol. 3, 25.6) to the processor's intercepts. */
#include "hwassist/vmx/vmx.h"

#include <string.h>

struct control_row { enum vmcs_index field; u64 bit, icept; };
static const struct control_row control_rows[] = {
    { VMCSI_PROC_CONTROLS, PROC_HLT, BIT(ICEPT_HLT) },
    { VMCSI_PROC_CONTROLS, PROC_INVLPG, BIT(ICEPT_INVLPG) },
    { VMCSI_PROC_CONTROLS, PROC_MWAIT, BIT(ICEPT_MWAIT) },
    { VMCSI_PROC_CONTROLS, PROC_RDPMC, BIT(ICEPT_RDPMC) },
    { VMCSI_PROC_CONTROLS, PROC_RDTSC, BIT(ICEPT_RDTSC) },
    { VMCSI_PROC_CONTROLS, PROC_CR3_LOAD, BIT(ICEPT_CR3_WRITE) },
    { VMCSI_PROC_CONTROLS, PROC_CR3_STORE, BIT(ICEPT_CR3_READ) },
    { VMCSI_PROC_CONTROLS, PROC_CR8_LOAD, BIT(ICEPT_CR8_WRITE) },
    { VMCSI_PROC_CONTROLS, PROC_CR8_STORE, BIT(ICEPT_CR8_READ) },
    { VMCSI_PROC_CONTROLS, PROC_DR, BIT(ICEPT_DR) },
    { VMCSI_PROC_CONTROLS, PROC_IO | PROC_IO_BITMAPS, BIT(ICEPT_IO) },
    { VMCSI_PROC_CONTROLS, PROC_MONITOR, BIT(ICEPT_MONITOR) },
    { VMCSI_PROC_CONTROLS, PROC_PAUSE, BIT(ICEPT_PAUSE) },
    { VMCSI_PROC2_CONTROLS, PROC2_DESCRIPTOR_TABLE, BIT(ICEPT_GDTR_IDTR) | BIT(ICEPT_LDTR_TR) },
    { VMCSI_PROC2_CONTROLS, PROC2_WBINVD, BIT(ICEPT_WBINVD) },
};

/* SDM vol. 3, 26.1.2: these exit whatever the controls say; MSRs by number, in the bitmap. */
#define UNCONDITIONAL (BIT(ICEPT_CPUID) | BIT(ICEPT_INVD) | BIT(ICEPT_VMX) | BIT(ICEPT_TASK_SWITCH) | BIT(ICEPT_XSETBV) | BIT(ICEPT_RDMSR) | BIT(ICEPT_WRMSR))
/* These are looked at whenever the monitor owns a bit of the register: also reads, which give the read shadow. */
#define CR0_ACCESSES (BIT(ICEPT_CR0_READ) | BIT(ICEPT_CR0_WRITE) | BIT(ICEPT_CLTS) | BIT(ICEPT_LMSW))
#define CR4_ACCESSES (BIT(ICEPT_CR4_READ) | BIT(ICEPT_CR4_WRITE))

static u64 control(const struct vmx *x, enum vmcs_index i)
{
    if (i == VMCSI_PROC2_CONTROLS && !(vmcs_get(&x->vmcs, VMCSI_PROC_CONTROLS) & PROC_SECONDARY))
        return 0;
    return vmcs_get(&x->vmcs, i);
}

static u64 instruction_intercepts(const struct vmx *x)
{
    u64 icept = UNCONDITIONAL;
    for (unsigned i = 0; i < ARRAY_LEN(control_rows); i++)
        if (control(x, control_rows[i].field) & control_rows[i].bit)
            icept |= control_rows[i].icept;
    icept |= vmcs_get(&x->vmcs, VMCSI_CR0_MASK) ? CR0_ACCESSES : 0;
    icept |= vmcs_get(&x->vmcs, VMCSI_CR4_MASK) ? CR4_ACCESSES : 0;
    return icept;
}

static void exception_intercepts(struct vmx *x)
{
    x->cpu->icept_exc = vmcs_get(&x->vmcs, VMCSI_EXCEPTION_BITMAP);
    x->cpu->icept_pf_mask = vmcs_get(&x->vmcs, VMCSI_PF_ERROR_MASK);
    x->cpu->icept_pf_match = vmcs_get(&x->vmcs, VMCSI_PF_ERROR_MATCH);
}

static const u8 *bitmap(const struct vmx *x, enum vmcs_index i)
{
    return (const u8 *)hostmem_table(x->host, vmcs_get(&x->vmcs, i));
}

static void bitmap_intercepts(struct vmx *x)
{
    u64 proc = control(x, VMCSI_PROC_CONTROLS);
    const u8 *a = bitmap(x, VMCSI_IO_BITMAP_A), *b = bitmap(x, VMCSI_IO_BITMAP_B);
    x->cpu->icept_io_bitmap = NULL;
    if (proc & PROC_IO_BITMAPS && a && b) {
        memcpy(x->io_bitmap, a, PAGE_SIZE);
        memcpy(x->io_bitmap + PAGE_SIZE, b, PAGE_SIZE);
        x->cpu->icept_io_bitmap = x->io_bitmap;
    }
    x->cpu->icept_msr_bitmap = proc & PROC_MSR_BITMAPS ? bitmap(x, VMCSI_MSR_BITMAP) : NULL;
}

void vmx_derive_intercepts(struct vmx *x)
{
    bool ept = control(x, VMCSI_PROC2_CONTROLS) & PROC2_EPT;
    x->cpu->icept = instruction_intercepts(x);
    exception_intercepts(x);
    bitmap_intercepts(x);
    x->ept.eptp = vmcs_get(&x->vmcs, VMCSI_EPT_POINTER);
    x->ept.apic_access = control(x, VMCSI_PROC2_CONTROLS) & PROC2_APIC_ACCESSES ? vmcs_get(&x->vmcs, VMCSI_APIC_ACCESS_ADDR) : 0;
    x->ept.apic_readable = vapic_readable(x);
    x->ept.apic_writable = vapic_writable(x);
    x->cpu->mmu.stage2 = ept ? &x->ept.stage2 : &x->host_view.stage2;
}

void vmx_want_windows(struct vmx *x)
{
    x->cpu->want_window = control(x, VMCSI_PROC_CONTROLS) & PROC_INTR_WINDOW || vapic_recognized(x);
    x->cpu->want_nmi_window = control(x, VMCSI_PROC_CONTROLS) & PROC_NMI_WINDOW;
}

void vmx_leave(struct vmx *x)
{
    struct cpu *c = x->cpu;
    c->icept = 0;
    c->icept_exc = c->icept_pf_mask = c->icept_pf_match = 0;
    c->icept_io_bitmap = c->icept_msr_bitmap = NULL;
    c->want_window = c->want_nmi_window = false;
    c->mmu.stage2 = NULL;
    x->vmcs.dirty |= DIRTY_CONTROLS; /* the next entry derives them anew */
}
