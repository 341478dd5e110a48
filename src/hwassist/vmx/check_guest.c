/* SPDX-License-Identifier: MIT */
/* Checks on the guest-state area but for segments (check_segments.c), SDM vol. 3, 27.3.1: one small function each, in the manual's order. */
#include "hwassist/vmx/vmx.h"

static u64 get(const struct vmx *x, enum vmcs_index i) { return vmcs_get(&x->vmcs, i); }
static const struct cpu_state *st(const struct vmx *x) { return &x->cpu->state; }
static bool implies(bool a, bool b) { return !a || b; }
static bool canonical(u64 a) { return (u64)((s64)(a << 16) >> 16) == a; }

static bool secondary(const struct vmx *x, u32 bit) { return get(x, VMCSI_PROC_CONTROLS) & PROC_SECONDARY && get(x, VMCSI_PROC2_CONTROLS) & bit; }
static u64 injected(const struct vmx *x) { return get(x, VMCSI_ENTRY_INTR_INFO); }
static bool injects(const struct vmx *x, unsigned type) { return injected(x) & INTR_VALID && (injected(x) >> INTR_TYPE_SHIFT & 7) == type; }
static bool unrestricted(const struct vmx *x) { return secondary(x, PROC2_UG); }
static bool ia32e(const struct vmx *x) { return get(x, VMCSI_ENTRY_CONTROLS) & ENTRY_IA32E; }

/* 27.3.1.1 control registers, debug registers, MSRs */
static bool cr0_fixed(const struct vmx *x)
{
    u64 must = x->caps.cr0_fixed0 & ~(unrestricted(x) ? (u64)CR0_PE | CR0_PG : 0);
    return (st(x)->cr0 & must) == must && !(st(x)->cr0 & ~x->caps.cr0_fixed1);
}
static bool cr0_paging(const struct vmx *x) { return implies(st(x)->cr0 & CR0_PG, st(x)->cr0 & CR0_PE); }
static bool cr4_fixed(const struct vmx *x)
{
    return (st(x)->cr4 & x->caps.cr4_fixed0) == x->caps.cr4_fixed0 && !(st(x)->cr4 & ~x->caps.cr4_fixed1);
}
static bool long_mode(const struct vmx *x) { return implies(ia32e(x), st(x)->cr0 & CR0_PG && st(x)->cr4 & CR4_PAE); }
static bool cr3(const struct vmx *x) { return !(st(x)->cr3 >> x->caps.phys_bits); }
static bool entry_control(const struct vmx *x, u32 bit) { return get(x, VMCSI_ENTRY_CONTROLS) & bit; }
static bool dr7(const struct vmx *x) { return implies(entry_control(x, ENTRY_LOAD_DEBUG), !(st(x)->dr[7] >> 32)); }
static bool debugctl(const struct vmx *x) { return implies(entry_control(x, ENTRY_LOAD_DEBUG), !(st(x)->debugctl & ~(u64)0xdfc3)); }
bool vmx_pat_ok(u64 pat)
{
    for (unsigned i = 0; i < 8; i++) {
        u8 type = pat >> 8 * i;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}
static bool pat(const struct vmx *x) { return implies(entry_control(x, ENTRY_LOAD_PAT), vmx_pat_ok(st(x)->pat)); }
static bool sysenter(const struct vmx *x) { return canonical(st(x)->sysenter_esp) && canonical(st(x)->sysenter_eip); }
static bool loads_efer(const struct vmx *x) { return entry_control(x, ENTRY_LOAD_EFER); }
static bool efer(const struct vmx *x) { return implies(loads_efer(x), !(st(x)->efer & ~(u64)EFER_BITS)); }
static bool efer_lma(const struct vmx *x) { return implies(loads_efer(x), !!(st(x)->efer & EFER_LMA) == ia32e(x)); }
static bool efer_lme(const struct vmx *x)
{
    return implies(loads_efer(x) && st(x)->cr0 & CR0_PG, !!(st(x)->efer & EFER_LMA) == !!(st(x)->efer & EFER_LME));
}

/* 27.3.1.3 descriptor tables */
static bool table_bases(const struct vmx *x) { return canonical(st(x)->gdtr.base) && canonical(st(x)->idtr.base); }
static bool table_limits(const struct vmx *x) { return !(get(x, VMCSI_GUEST_GDTR_LIMIT) >> 16) && !(get(x, VMCSI_GUEST_IDTR_LIMIT) >> 16); }

/* 27.3.1.4 RIP, RFLAGS */
static bool rip(const struct vmx *x) { return ia32e(x) && st(x)->seg[CS].attr & SEG_L ? canonical(st(x)->rip) : !(st(x)->rip >> 32); }
static bool rflags(const struct vmx *x) { return st(x)->rflags & FLAG_FIXED && !(st(x)->rflags & ~(u64)0x3f7fd7); }
static bool rflags_vm(const struct vmx *x) { return implies(st(x)->rflags & FLAG_VM, !ia32e(x) && st(x)->cr0 & CR0_PE); }
static bool rflags_if(const struct vmx *x) { return implies(injects(x, TRAP_EXTINT), st(x)->rflags & FLAG_IF); }

/* 27.3.1.5 non-register state */
static bool blocked(const struct vmx *x) { return st(x)->sti_shadow || st(x)->movss_shadow; }
static bool activity(const struct vmx *x) { return get(x, VMCSI_GUEST_ACTIVITY) <= CPU_HALTED; }
static bool activity_ring(const struct vmx *x) { return implies(st(x)->activity == CPU_HALTED, seg_dpl(st(x)->seg[SS].attr) == 0); }
static bool activity_blocking(const struct vmx *x) { return implies(st(x)->activity != CPU_ACTIVE, !blocked(x)); }
/* A halted processor is woken by interrupts, NMIs, debug exceptions and machine checks, and by nothing else. */
static bool activity_event(const struct vmx *x)
{
    u8 vector = injected(x) & INTR_VECTOR;
    bool wakes = injects(x, TRAP_EXTINT) || injects(x, TRAP_NMI) || (injects(x, TRAP_FAULT) && (vector == VEC_DB || vector == VEC_MC));
    return implies(st(x)->activity == CPU_HALTED && injected(x) & INTR_VALID, wakes);
}
static bool blocking_reserved(const struct vmx *x) { return !(get(x, VMCSI_GUEST_INTERRUPTIBILITY) & ~(u64)0xf); }
static bool blocking_both(const struct vmx *x) { return !(st(x)->sti_shadow && st(x)->movss_shadow); }
static bool blocking_if(const struct vmx *x) { return implies(st(x)->sti_shadow, st(x)->rflags & FLAG_IF); }
static bool blocking_smi(const struct vmx *x) { return !(get(x, VMCSI_GUEST_INTERRUPTIBILITY) & 4); /* nobody is in SMM */ }
static bool blocked_event(const struct vmx *x) { return implies(injects(x, TRAP_EXTINT), !blocked(x)); }
static bool blocked_nmi(const struct vmx *x) { return implies(injects(x, TRAP_NMI), !st(x)->movss_shadow); }
static bool virtual_nmi(const struct vmx *x)
{
    bool own = get(x, VMCSI_PIN_CONTROLS) & PIN_VIRTUAL_NMI;
    return implies(own && injects(x, TRAP_NMI), !st(x)->nmi_blocked);
}
static bool pending_debug(const struct vmx *x) { return !(get(x, VMCSI_GUEST_PENDING_DEBUG) & ~(u64)0x500f); }
/* While nothing can be delivered, a single step must wait if, and only if, single steps are made: TF set, DEBUGCTL.BTF clear. */
static bool pending_step(const struct vmx *x)
{
    bool step = st(x)->rflags & FLAG_TF && !(st(x)->debugctl & BIT(1)), waits = get(x, VMCSI_GUEST_PENDING_DEBUG) & BIT(14);
    return implies(blocked(x) || st(x)->activity == CPU_HALTED, waits == step);
}
static bool has_link(const struct vmx *x) { return get(x, VMCSI_VMCS_LINK_POINTER) != ~(u64)0; }
static bool link_address(const struct vmx *x)
{
    u64 at = get(x, VMCSI_VMCS_LINK_POINTER);
    return implies(has_link(x), !(at & ~PAGE_MASK) && !(at >> x->caps.phys_bits));
}
static bool link_revision(const struct vmx *x) { return implies(has_link(x), vmx_is_vmcs(x, get(x, VMCSI_VMCS_LINK_POINTER))); }
static bool link_current(const struct vmx *x) { return get(x, VMCSI_VMCS_LINK_POINTER) != x->current; }

/* 27.3.1.6 PAE pointers: with EPT the VMCS gives them, without they have been read from where CR3 points */
static bool pdptes(const struct vmx *x)
{
    bool pae = st(x)->cr0 & CR0_PG && st(x)->cr4 & CR4_PAE && !ia32e(x);
    u64 reserved = ~(BIT(x->caps.phys_bits) - 1) | 0x1e6;
    for (unsigned i = 0; pae && i < 4; i++)
        if (st(x)->pdpte[i] & 1 && st(x)->pdpte[i] & reserved)
            return false;
    return true;
}

/* Qualifications of an entry failure, SDM vol. 3, 27.8 */
enum { FAILED_ELSEWHERE = 0, FAILED_PDPTE = 2, FAILED_LINK_POINTER = 4 };

const struct vmx_check vmx_guest_checks[] = {
    { "27.3.1.1 CR0: fixed bits", cr0_fixed },
    { "27.3.1.1 CR0: PG without PE", cr0_paging },
    { "27.3.1.1 CR4: fixed bits", cr4_fixed },
    { "27.3.1.1 IA-32e mode guest without PG and PAE", long_mode },
    { "27.3.1.1 CR3: beyond the physical-address width", cr3 },
    { "27.3.1.1 DR7: bits 63:32", dr7 },
    { "27.3.1.1 DEBUGCTL: reserved bits", debugctl },
    { "27.3.1.1 PAT: memory types", pat },
    { "27.3.1.1 SYSENTER addresses not canonical", sysenter },
    { "27.3.1.1 EFER: reserved bits", efer },
    { "27.3.1.1 EFER: LMA is not \"IA-32e mode guest\"", efer_lma },
    { "27.3.1.1 EFER: LMA is not LME", efer_lme },
    { "27.3.1.3 GDTR and IDTR bases not canonical", table_bases },
    { "27.3.1.3 GDTR and IDTR limits: bits 31:16", table_limits },
    { "27.3.1.4 RIP", rip },
    { "27.3.1.4 RFLAGS: reserved bits", rflags },
    { "27.3.1.4 RFLAGS: virtual-8086 mode where there is none", rflags_vm },
    { "27.3.1.4 RFLAGS: external interrupt injected with IF clear", rflags_if },
    { "27.3.1.5 activity state", activity },
    { "27.3.1.5 HLT activity state in ring 3", activity_ring },
    { "27.3.1.5 activity state with blocking by STI or MOV SS", activity_blocking },
    { "27.3.1.5 HLT activity state and an event that does not end it", activity_event },
    { "27.3.1.5 interruptibility: reserved bits", blocking_reserved },
    { "27.3.1.5 interruptibility: STI and MOV SS", blocking_both },
    { "27.3.1.5 interruptibility: STI with IF clear", blocking_if },
    { "27.3.1.5 interruptibility: SMI outside SMM", blocking_smi },
    { "27.3.1.5 external interrupt injected while blocked", blocked_event },
    { "27.3.1.5 NMI injected while blocked by MOV SS", blocked_nmi },
    { "27.3.1.5 NMI injected while virtual NMIs are blocked", virtual_nmi },
    { "27.3.1.5 pending debug exceptions: reserved bits", pending_debug },
    { "27.3.1.5 pending debug exceptions: BS", pending_step },
    { "27.3.1.5 VMCS link pointer: address", link_address, FAILED_LINK_POINTER },
    { "27.3.1.5 VMCS link pointer: revision identifier", link_revision, FAILED_LINK_POINTER },
    { "27.3.1.5 VMCS link pointer: the current VMCS", link_current, FAILED_LINK_POINTER },
    { "27.3.1.6 PAE page-directory pointers", pdptes, FAILED_PDPTE },
    { 0 },
};

const char *vmx_check_guest(const struct vmx *x, u64 *qualification)
{
    const struct vmx_check *bad = vmx_first_failing(x, vmx_guest_checks);
    *qualification = bad ? bad->qualification : FAILED_ELSEWHERE;
    return bad ? bad->name : vmx_check_segments(x);
}
