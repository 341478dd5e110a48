/* SPDX-License-Identifier: MIT */
/* The canonical state in KVM's structures, for KVM_GET_REGS and its like. */
#include <errno.h>

#include "cli/grade/grade_kvm.h"

static struct vcpu *vcpu(const struct labkvm *k) { return k->vm->vcpu[0]; }

static void get(const struct labkvm *k, struct cpu_state *s) { k->vm->engine->get_state(vcpu(k), s); }
static void set(const struct labkvm *k, const struct cpu_state *s) { k->vm->engine->set_state(vcpu(k), s); }

static u64 *const *places(struct kvm_regs *r, u64 *place[16])
{
    u64 *const all[16] = { (u64 *)&r->rax, (u64 *)&r->rcx, (u64 *)&r->rdx, (u64 *)&r->rbx, (u64 *)&r->rsp, (u64 *)&r->rbp, (u64 *)&r->rsi, (u64 *)&r->rdi,
                           (u64 *)&r->r8, (u64 *)&r->r9, (u64 *)&r->r10, (u64 *)&r->r11, (u64 *)&r->r12, (u64 *)&r->r13, (u64 *)&r->r14, (u64 *)&r->r15 };
    for (unsigned i = 0; i < 16; i++)
        place[i] = all[i];
    return place;
}

s32 labkvm_get_regs(struct labkvm *k, struct kvm_regs *r)
{
    struct cpu_state s;
    u64 *place[16];
    get(k, &s);
    places(r, place);
    for (unsigned i = 0; i < 16; i++)
        *place[i] = s.gpr[i];
    r->rip = s.rip;
    r->rflags = s.rflags;
    return 0;
}

s32 labkvm_set_regs(struct labkvm *k, const struct kvm_regs *r)
{
    struct kvm_regs copy = *r;
    struct cpu_state s;
    u64 *place[16];
    get(k, &s);
    places(&copy, place);
    for (unsigned i = 0; i < 16; i++)
        s.gpr[i] = *place[i];
    s.rip = r->rip;
    s.rflags = r->rflags | FLAG_FIXED; /* as KVM does */
    set(k, &s);
    return 0;
}

/* --- segments: KVM spreads over fields what the VMX access rights have in one word --- */

static struct kvm_segment to_kvm(const struct segment *s)
{
    return (struct kvm_segment){ .base = s->base, .limit = s->limit, .selector = s->selector, .type = s->attr & SEG_TYPE, .s = !!(s->attr & SEG_S),
                                 .dpl = seg_dpl(s->attr), .present = !!(s->attr & SEG_P), .avl = !!(s->attr & SEG_AVL), .l = !!(s->attr & SEG_L),
                                 .db = !!(s->attr & SEG_DB), .g = !!(s->attr & SEG_G), .unusable = !!(s->attr & SEG_UNUSABLE) };
}

static struct segment from_kvm(const struct kvm_segment *k)
{
    u32 attr = (k->type & 15) | (k->s & 1) << 4 | (k->dpl & 3) << 5 | (k->present & 1) << 7 | (k->avl & 1) << 12 | (k->l & 1) << 13 | (k->db & 1) << 14 |
               (k->g & 1) << 15;
    return (struct segment){ k->selector, k->base, k->limit, attr | (k->unusable || !k->present ? SEG_UNUSABLE : 0) };
}

struct pair { struct kvm_segment *kvm; struct segment *own; };
enum { SEGMENTS = 8 };

static void pair_segments(struct kvm_sregs *r, struct cpu_state *s, struct pair p[SEGMENTS])
{
    const struct pair all[SEGMENTS] = { { &r->es, &s->seg[ES] }, { &r->cs, &s->seg[CS] }, { &r->ss, &s->seg[SS] }, { &r->ds, &s->seg[DS] },
                                        { &r->fs, &s->seg[FS] }, { &r->gs, &s->seg[GS] }, { &r->ldt, &s->ldtr }, { &r->tr, &s->tr } };
    for (unsigned i = 0; i < SEGMENTS; i++)
        p[i] = all[i];
}

s32 labkvm_get_sregs(struct labkvm *k, struct kvm_sregs *r)
{
    struct cpu_state s;
    struct pair p[SEGMENTS];
    get(k, &s);
    *r = (struct kvm_sregs){ .gdt = { s.gdtr.base, s.gdtr.limit }, .idt = { s.idtr.base, s.idtr.limit }, .cr0 = s.cr0, .cr2 = s.cr2, .cr3 = s.cr3, .cr4 = s.cr4,
                             .cr8 = s.cr8, .efer = s.efer, .apic_base = s.apic_base };
    pair_segments(r, &s, p);
    for (unsigned i = 0; i < SEGMENTS; i++)
        *p[i].kvm = to_kvm(p[i].own);
    return 0;
}

static bool are_valid(const struct kvm_sregs *r)
{
    bool pe = r->cr0 & CR0_PE, pg = r->cr0 & CR0_PG, long_mode = r->efer & EFER_LMA;
    return !(pg && !pe) && r->cr0 >> 32 == 0 && (!long_mode || (pg && r->cr4 & CR4_PAE && r->efer & EFER_LME)) && !(r->cr4 & CR4_VMXE);
}

/* PAE's pointers come from memory, as they do with MOV to CR3. */
s32 labkvm_set_sregs(struct labkvm *k, const struct kvm_sregs *r)
{
    struct kvm_sregs copy = *r;
    struct cpu_state s;
    struct pair p[SEGMENTS];
    if (!are_valid(r))
        return -EINVAL;
    get(k, &s);
    pair_segments(&copy, &s, p);
    for (unsigned i = 0; i < SEGMENTS; i++)
        *p[i].own = from_kvm(p[i].kvm);
    s.gdtr = (struct dtable){ r->gdt.base, r->gdt.limit };
    s.idtr = (struct dtable){ r->idt.base, r->idt.limit };
    s.cr0 = r->cr0 | CR0_ET;
    s.cr2 = r->cr2;
    s.cr3 = r->cr3;
    s.cr4 = r->cr4;
    s.cr8 = r->cr8;
    s.efer = r->efer;
    if (s.cr0 & CR0_PG && s.cr4 & CR4_PAE && !(s.efer & EFER_LMA))
        physmap_read(&k->vm->map, s.cr3 & 0xffffffe0, s.pdpte, sizeof s.pdpte);
    set(k, &s);
    return 0;
}
