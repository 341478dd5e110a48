/* SPDX-License-Identifier: MIT */
/* Checks on the guest-state area, SDM vol. 3, 27.3.1: one small function each, in the manual's order. */
#include "hwassist/vmx/vmx.h"

static u64 get(const struct vmx *x, enum vmcs_index i) { return vmcs_get(&x->vmcs, i); }
static const struct cpu_state *st(const struct vmx *x) { return &x->cpu->state; }
static bool implies(bool a, bool b) { return !a || b; }
static bool canonical(u64 a) { return (u64)((s64)(a << 16) >> 16) == a; }

static bool secondary(const struct vmx *x, u32 bit) { return get(x, VMCSI_PROC_CONTROLS) & PROC_SECONDARY && get(x, VMCSI_PROC2_CONTROLS) & bit; }
static bool unrestricted(const struct vmx *x) { return secondary(x, PROC2_UG); }
static bool ia32e(const struct vmx *x) { return get(x, VMCSI_ENTRY_CONTROLS) & ENTRY_IA32E; }
static bool usable(const struct segment *s) { return !(s->attr & SEG_UNUSABLE); }
static unsigned type_of(const struct segment *s) { return s->attr & SEG_TYPE; }

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
static bool pat(const struct vmx *x)
{
    for (unsigned i = 0; entry_control(x, ENTRY_LOAD_PAT) && i < 8; i++) {
        u8 type = st(x)->pat >> 8 * i;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}
static bool sysenter(const struct vmx *x) { return canonical(st(x)->sysenter_esp) && canonical(st(x)->sysenter_eip); }
static bool efer(const struct vmx *x)
{
    u64 e = st(x)->efer;
    if (!(get(x, VMCSI_ENTRY_CONTROLS) & ENTRY_LOAD_EFER))
        return true;
    return !(e & ~(u64)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)) && !!(e & EFER_LMA) == ia32e(x) &&
           implies(st(x)->cr0 & CR0_PG, !!(e & EFER_LMA) == !!(e & EFER_LME));
}

/* 27.3.1.2 segment registers */
static bool v86_segments(const struct vmx *x)
{
    for (unsigned i = 0; i < SREG_COUNT; i++) {
        const struct segment *s = &st(x)->seg[i];
        if (s->base != (u64)s->selector << 4 || s->limit != 0xffff || s->attr != 0xf3)
            return false;
    }
    return true;
}
static bool tr(const struct vmx *x)
{
    const struct segment *t = &st(x)->tr;
    return usable(t) && !(t->selector & 4) && (type_of(t) == 11 || (type_of(t) == 3 && !ia32e(x))) && !(t->attr & SEG_S) && t->attr & SEG_P;
}
static bool ldtr(const struct vmx *x)
{
    const struct segment *l = &st(x)->ldtr;
    return implies(usable(l), !(l->selector & 4) && type_of(l) == 2 && !(l->attr & SEG_S) && l->attr & SEG_P);
}
static bool cs_type(const struct vmx *x)
{
    unsigned type = type_of(&st(x)->seg[CS]);
    return (type & 9) == 9 || (type == 3 && unrestricted(x));
}
static bool cs_dpl(const struct vmx *x)
{
    const struct segment *cs = &st(x)->seg[CS];
    unsigned dpl = seg_dpl(cs->attr), ss = seg_dpl(st(x)->seg[SS].attr);
    if (type_of(cs) == 3)
        return dpl == 0;
    return cs->attr & SEG_CONFORMING ? dpl <= ss : dpl == ss;
}
static bool ss_type(const struct vmx *x)
{
    const struct segment *ss = &st(x)->seg[SS];
    return implies(usable(ss), type_of(ss) == 3 || type_of(ss) == 7);
}
static bool ss_dpl(const struct vmx *x)
{
    const struct segment *ss = &st(x)->seg[SS];
    bool zero = !(st(x)->cr0 & CR0_PE) || type_of(&st(x)->seg[CS]) == 3;
    return implies(!unrestricted(x), seg_dpl(ss->attr) == (ss->selector & 3)) && implies(zero, seg_dpl(ss->attr) == 0);
}
static bool data_types(const struct vmx *x)
{
    static const u8 data[] = { DS, ES, FS, GS };
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        const struct segment *s = &st(x)->seg[data[i]];
        unsigned type = type_of(s);
        if (usable(s) && (!(type & SEG_ACCESSED) || (type & SEG_CODE && !(type & SEG_RW))))
            return false;
    }
    return true;
}
/* RPL against DPL, where real mode cannot be. */
static bool selectors(const struct vmx *x)
{
    static const u8 data[] = { DS, ES, FS, GS };
    if (unrestricted(x))
        return true;
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        const struct segment *s = &st(x)->seg[data[i]];
        if (usable(s) && type_of(s) <= 11 && seg_dpl(s->attr) < (s->selector & 3u))
            return false;
    }
    return (st(x)->seg[SS].selector & 3) == (st(x)->seg[CS].selector & 3);
}
/* Also in virtual-8086 mode; there they are what the selectors say. */
static bool bases(const struct vmx *x)
{
    static const u8 low[] = { SS, DS, ES };
    const struct segment *seg = st(x)->seg;
    for (unsigned i = 0; i < ARRAY_LEN(low); i++)
        if (usable(&seg[low[i]]) && seg[low[i]].base >> 32)
            return false;
    return !(seg[CS].base >> 32) && canonical(seg[FS].base) && canonical(seg[GS].base) && canonical(st(x)->tr.base) &&
           implies(usable(&st(x)->ldtr), canonical(st(x)->ldtr.base));
}
static bool segment_rights(const struct vmx *x)
{
    for (unsigned i = 0; i < SREG_COUNT; i++) {
        const struct segment *s = &st(x)->seg[i];
        bool big = s->limit >> 20, low_ones = (s->limit & 0xfff) == 0xfff;
        if ((usable(s) || i == CS) && (!(s->attr & SEG_S) || !(s->attr & SEG_P) || s->attr & 0xfffe0f00 ||
                                       !implies(!low_ones, !(s->attr & SEG_G)) || !implies(big, s->attr & SEG_G)))
            return false;
    }
    return true;
}
static bool not_v86(const struct vmx *x) { return !state_v86(st(x)); }

/* 27.3.1.3 descriptor tables */
static bool tables(const struct vmx *x) { return canonical(st(x)->gdtr.base) && canonical(st(x)->idtr.base); }

/* 27.3.1.4 RIP, RFLAGS */
static bool rip(const struct vmx *x) { return state_code_bits(st(x)) == 64 ? canonical(st(x)->rip) : !(st(x)->rip >> 32); }
static bool rflags(const struct vmx *x)
{
    u64 f = st(x)->rflags;
    return f & FLAG_FIXED && !(f & ~(u64)0x3f7fd7) && implies(f & FLAG_VM, !ia32e(x) && st(x)->cr0 & CR0_PE);
}
static bool rflags_if(const struct vmx *x)
{
    u64 info = get(x, VMCSI_ENTRY_INTR_INFO);
    bool extint = info & INTR_VALID && (info >> INTR_TYPE_SHIFT & 7) == TRAP_EXTINT;
    return implies(extint, st(x)->rflags & FLAG_IF);
}

/* 27.3.1.5 non-register state */
static bool activity(const struct vmx *x) { return st(x)->activity <= CPU_HALTED; }
static bool activity_ring(const struct vmx *x) { return implies(st(x)->activity == CPU_HALTED, seg_dpl(st(x)->seg[SS].attr) == 0); }
static bool activity_blocking(const struct vmx *x) { return implies(st(x)->activity != CPU_ACTIVE, !st(x)->sti_shadow && !st(x)->movss_shadow); }
static bool blocking(const struct vmx *x)
{
    return !(st(x)->sti_shadow && st(x)->movss_shadow) && implies(st(x)->sti_shadow, st(x)->rflags & FLAG_IF);
}
static bool blocked_event(const struct vmx *x)
{
    u64 info = get(x, VMCSI_ENTRY_INTR_INFO);
    bool extint = info & INTR_VALID && (info >> INTR_TYPE_SHIFT & 7) == TRAP_EXTINT;
    return implies(extint, !st(x)->sti_shadow && !st(x)->movss_shadow);
}
static bool blocked_nmi(const struct vmx *x)
{
    u64 info = get(x, VMCSI_ENTRY_INTR_INFO);
    bool nmi = info & INTR_VALID && (info >> INTR_TYPE_SHIFT & 7) == TRAP_NMI, own = get(x, VMCSI_PIN_CONTROLS) & PIN_VIRTUAL_NMI;
    return implies(nmi, !st(x)->movss_shadow && implies(own, !st(x)->nmi_blocked));
}
static bool pending_debug(const struct vmx *x) { return !(get(x, VMCSI_GUEST_PENDING_DEBUG) & ~(u64)0x500f); }
static bool link_pointer(const struct vmx *x) { return get(x, VMCSI_VMCS_LINK_POINTER) == ~(u64)0; }

/* 27.3.1.6 PAE pointers, given by the VMCS when EPT is on */
static bool pdptes(const struct vmx *x)
{
    bool pae = st(x)->cr0 & CR0_PG && st(x)->cr4 & CR4_PAE && !ia32e(x) && secondary(x, PROC2_EPT);
    u64 reserved = ~(BIT(x->caps.phys_bits) - 1) | 0x1e6;
    for (unsigned i = 0; pae && i < 4; i++)
        if (st(x)->pdpte[i] & 1 && st(x)->pdpte[i] & reserved)
            return false;
    return true;
}

/* Qualifications of an entry failure, SDM vol. 3, 27.8 */
enum { FAILED_ELSEWHERE = 0, FAILED_PDPTE = 2, FAILED_LINK_POINTER = 4 };

struct guest_check { const char *name; bool (*ok)(const struct vmx *x); u8 qualification; };

static const struct guest_check general[] = {
    { "27.3.1.1 CR0: fixed bits", cr0_fixed },
    { "27.3.1.1 CR0: PG without PE", cr0_paging },
    { "27.3.1.1 CR4: fixed bits", cr4_fixed },
    { "27.3.1.1 IA-32e mode guest without PG and PAE", long_mode },
    { "27.3.1.1 CR3: beyond the physical-address width", cr3 },
    { "27.3.1.1 DR7: bits 63:32", dr7 },
    { "27.3.1.1 DEBUGCTL: reserved bits", debugctl },
    { "27.3.1.1 PAT: memory types", pat },
    { "27.3.1.1 SYSENTER addresses not canonical", sysenter },
    { "27.3.1.1 EFER", efer },
    { "27.3.1.2 segment bases", bases },
    { "27.3.1.2 TR", tr },
    { "27.3.1.2 LDTR", ldtr },
    { "27.3.1.3 GDTR and IDTR bases not canonical", tables },
    { "27.3.1.4 RIP", rip },
    { "27.3.1.4 RFLAGS: reserved bits, VM", rflags },
    { "27.3.1.4 RFLAGS: external interrupt injected with IF clear", rflags_if },
    { "27.3.1.5 activity state", activity },
    { "27.3.1.5 HLT activity state in ring 3", activity_ring },
    { "27.3.1.5 activity state with blocking by STI or MOV SS", activity_blocking },
    { "27.3.1.5 interruptibility: STI and MOV SS, or STI with IF clear", blocking },
    { "27.3.1.5 external interrupt injected while blocked", blocked_event },
    { "27.3.1.5 NMI injected while blocked", blocked_nmi },
    { "27.3.1.5 pending debug exceptions: reserved bits", pending_debug },
    { "27.3.1.5 VMCS link pointer", link_pointer, FAILED_LINK_POINTER },
    { "27.3.1.6 PAE page-directory pointers", pdptes, FAILED_PDPTE },
};
static const struct guest_check v86_only[] = { { "27.3.1.2 segments in virtual-8086 mode", v86_segments } };
static const struct guest_check protected_only[] = {
    { "27.3.1.2 CS: type", cs_type },
    { "27.3.1.2 SS: type", ss_type },
    { "27.3.1.2 DS, ES, FS, GS: type", data_types },
    { "27.3.1.2 segments: S, P, reserved bits, granularity", segment_rights },
    { "27.3.1.2 CS: DPL", cs_dpl },
    { "27.3.1.2 SS: DPL", ss_dpl },
    { "27.3.1.2 selectors: RPL", selectors },
};

static const char *first_failing(const struct vmx *x, const struct guest_check *rows, unsigned n, u64 *qualification)
{
    for (unsigned i = 0; i < n; i++) {
        if (rows[i].ok(x))
            continue;
        *qualification = rows[i].qualification;
        return rows[i].name;
    }
    return NULL;
}

const char *vmx_check_guest(const struct vmx *x, u64 *qualification)
{
    const char *bad = first_failing(x, general, ARRAY_LEN(general), qualification);
    if (bad)
        return bad;
    return not_v86(x) ? first_failing(x, protected_only, ARRAY_LEN(protected_only), qualification)
                      : first_failing(x, v86_only, ARRAY_LEN(v86_only), qualification);
}
