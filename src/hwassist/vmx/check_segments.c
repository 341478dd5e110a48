/* SPDX-License-Identifier: MIT */
/* Checks on the guest's segment registers, SDM vol. 3, 27.3.1.2: one small function each. */
#include "hwassist/vmx/vmx.h"

static u64 get(const struct vmx *x, enum vmcs_index i) { return vmcs_get(&x->vmcs, i); }
static const struct cpu_state *st(const struct vmx *x) { return &x->cpu->state; }
static bool implies(bool a, bool b) { return !a || b; }
static bool canonical(u64 a) { return (u64)((s64)(a << 16) >> 16) == a; }
static bool unrestricted(const struct vmx *x) { return get(x, VMCSI_PROC_CONTROLS) & PROC_SECONDARY && get(x, VMCSI_PROC2_CONTROLS) & PROC2_UG; }
static bool ia32e(const struct vmx *x) { return get(x, VMCSI_ENTRY_CONTROLS) & ENTRY_IA32E; }
static bool usable(const struct segment *s) { return !(s->attr & SEG_UNUSABLE); }
static unsigned type_of(const struct segment *s) { return s->attr & SEG_TYPE; }

static const u8 data[] = { DS, ES, FS, GS };

/* Every segment: bits 11:8 and 31:17 are reserved; a limit that is not a whole number of pages cannot have G, one over 1 MiB must. */
static bool form_ok(const struct segment *s)
{
    bool large = s->limit >> 20, whole = (s->limit & 0xfff) == 0xfff;
    return !(s->attr & 0xfffe0f00) && implies(!whole, !(s->attr & SEG_G)) && implies(large, s->attr & SEG_G);
}

/* --- system segments and bases, in any mode --- */

static bool tr_selector(const struct vmx *x) { return !(st(x)->tr.selector & 4); }
static bool ldtr_selector(const struct vmx *x) { return implies(usable(&st(x)->ldtr), !(st(x)->ldtr.selector & 4)); }
static bool tr_type(const struct vmx *x) { return type_of(&st(x)->tr) == 11 || (type_of(&st(x)->tr) == 3 && !ia32e(x)); }
static bool tr_rights(const struct vmx *x)
{
    const struct segment *t = &st(x)->tr;
    return usable(t) && !(t->attr & SEG_S) && t->attr & SEG_P && form_ok(t);
}
static bool ldtr_type(const struct vmx *x) { return implies(usable(&st(x)->ldtr), type_of(&st(x)->ldtr) == 2); }
static bool ldtr_rights(const struct vmx *x)
{
    const struct segment *l = &st(x)->ldtr;
    return implies(usable(l), !(l->attr & SEG_S) && l->attr & SEG_P && form_ok(l));
}
static bool canonical_bases(const struct vmx *x)
{
    const struct segment *seg = st(x)->seg;
    return canonical(seg[FS].base) && canonical(seg[GS].base) && canonical(st(x)->tr.base) && implies(usable(&st(x)->ldtr), canonical(st(x)->ldtr.base));
}
static bool low_bases(const struct vmx *x)
{
    static const u8 low[] = { SS, DS, ES };
    const struct segment *seg = st(x)->seg;
    for (unsigned i = 0; i < ARRAY_LEN(low); i++)
        if (usable(&seg[low[i]]) && seg[low[i]].base >> 32)
            return false;
    return !(seg[CS].base >> 32);
}

/* --- virtual-8086 mode: they are what the selectors say --- */

static bool v86_each(const struct vmx *x, bool (*ok)(const struct segment *s))
{
    for (unsigned i = 0; i < SREG_COUNT; i++)
        if (!ok(&st(x)->seg[i]))
            return false;
    return true;
}
static bool is_v86_base(const struct segment *s) { return s->base == (u64)s->selector << 4; }
static bool is_v86_limit(const struct segment *s) { return s->limit == 0xffff; }
static bool is_v86_rights(const struct segment *s) { return s->attr == 0xf3; }
static bool v86_bases(const struct vmx *x) { return v86_each(x, is_v86_base); }
static bool v86_limits(const struct vmx *x) { return v86_each(x, is_v86_limit); }
static bool v86_rights(const struct vmx *x) { return v86_each(x, is_v86_rights); }

/* --- any other mode --- */

/* RPLs, where real mode cannot be. */
static bool ss_rpl(const struct vmx *x) { return unrestricted(x) || (st(x)->seg[SS].selector & 3) == (st(x)->seg[CS].selector & 3); }
static bool data_rpl(const struct vmx *x)
{
    for (unsigned i = 0; !unrestricted(x) && i < ARRAY_LEN(data); i++) {
        const struct segment *s = &st(x)->seg[data[i]];
        if (usable(s) && type_of(s) <= 11 && seg_dpl(s->attr) < (s->selector & 3u))
            return false;
    }
    return true;
}
static bool cs_type(const struct vmx *x)
{
    unsigned type = type_of(&st(x)->seg[CS]);
    return (type & 9) == 9 || (type == 3 && unrestricted(x));
}
static bool ss_type(const struct vmx *x)
{
    const struct segment *ss = &st(x)->seg[SS];
    return implies(usable(ss), type_of(ss) == 3 || type_of(ss) == 7);
}
static bool data_types(const struct vmx *x)
{
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        const struct segment *s = &st(x)->seg[data[i]];
        unsigned type = type_of(s);
        if (usable(s) && (!(type & SEG_ACCESSED) || (type & SEG_CODE && !(type & SEG_RW))))
            return false;
    }
    return true;
}
/* CS is always usable. */
static bool each_usable(const struct vmx *x, bool (*ok)(const struct segment *s))
{
    for (unsigned i = 0; i < SREG_COUNT; i++)
        if ((usable(&st(x)->seg[i]) || i == CS) && !ok(&st(x)->seg[i]))
            return false;
    return true;
}
static bool is_user_type(const struct segment *s) { return s->attr & SEG_S; }
static bool is_present(const struct segment *s) { return s->attr & SEG_P; }
static bool user_types(const struct vmx *x) { return each_usable(x, is_user_type); }
static bool present(const struct vmx *x) { return each_usable(x, is_present); }
static bool forms(const struct vmx *x) { return each_usable(x, form_ok); }
static bool cs_dpl(const struct vmx *x)
{
    const struct segment *cs = &st(x)->seg[CS];
    unsigned dpl = seg_dpl(cs->attr), ss = seg_dpl(st(x)->seg[SS].attr);
    if (type_of(cs) == 3)
        return dpl == 0;
    return cs->attr & SEG_CONFORMING ? dpl <= ss : dpl == ss;
}
static bool ss_dpl(const struct vmx *x)
{
    const struct segment *ss = &st(x)->seg[SS];
    return implies(!unrestricted(x), seg_dpl(ss->attr) == (ss->selector & 3));
}
static bool ss_dpl_0(const struct vmx *x)
{
    bool zero = !(st(x)->cr0 & CR0_PE) || type_of(&st(x)->seg[CS]) == 3;
    return implies(zero, seg_dpl(st(x)->seg[SS].attr) == 0);
}
static bool cs_size(const struct vmx *x)
{
    u32 attr = st(x)->seg[CS].attr;
    return implies(ia32e(x) && attr & SEG_L, !(attr & SEG_DB));
}

const struct vmx_check vmx_segment_checks[] = {
    { "27.3.1.2 TR: selector", tr_selector },
    { "27.3.1.2 LDTR: selector", ldtr_selector },
    { "27.3.1.2 segment bases not canonical: FS, GS, TR, LDTR", canonical_bases },
    { "27.3.1.2 segment bases: bits 63:32 of CS, SS, DS, ES", low_bases },
    { "27.3.1.2 TR: type", tr_type },
    { "27.3.1.2 TR: S, P, reserved bits, granularity, usable", tr_rights },
    { "27.3.1.2 LDTR: type", ldtr_type },
    { "27.3.1.2 LDTR: S, P, reserved bits, granularity", ldtr_rights },
    { 0 },
};
const struct vmx_check vmx_v86_checks[] = {
    { "27.3.1.2 virtual-8086 mode: bases", v86_bases },
    { "27.3.1.2 virtual-8086 mode: limits", v86_limits },
    { "27.3.1.2 virtual-8086 mode: access rights", v86_rights },
    { 0 },
};
const struct vmx_check vmx_protected_checks[] = {
    { "27.3.1.2 CS: type", cs_type },
    { "27.3.1.2 SS: type", ss_type },
    { "27.3.1.2 DS, ES, FS, GS: type", data_types },
    { "27.3.1.2 segments: S", user_types },
    { "27.3.1.2 segments: P", present },
    { "27.3.1.2 segments: reserved bits, granularity", forms },
    { "27.3.1.2 CS: DPL", cs_dpl },
    { "27.3.1.2 SS: DPL is not its RPL", ss_dpl },
    { "27.3.1.2 SS: DPL not 0 in real mode", ss_dpl_0 },
    { "27.3.1.2 CS: D/B and L", cs_size },
    { "27.3.1.2 selectors: RPL of SS and CS", ss_rpl },
    { "27.3.1.2 selectors: RPL over DPL", data_rpl },
    { 0 },
};

const char *vmx_check_segments(const struct vmx *x)
{
    const struct vmx_check *bad = vmx_first_failing(x, vmx_segment_checks);
    bad = bad ? bad : vmx_first_failing(x, state_v86(st(x)) ? vmx_v86_checks : vmx_protected_checks);
    return bad ? bad->name : NULL;
}
