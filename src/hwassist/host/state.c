/* SPDX-License-Identifier: MIT */
/* The canonical state to and from KVM's own structures. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

/* --- general registers --- */

/* Where each of enum gpr is in struct kvm_regs. */
static const u16 gpr_place[16] = {
    offsetof(struct kvm_regs, rax), offsetof(struct kvm_regs, rcx), offsetof(struct kvm_regs, rdx), offsetof(struct kvm_regs, rbx),
    offsetof(struct kvm_regs, rsp), offsetof(struct kvm_regs, rbp), offsetof(struct kvm_regs, rsi), offsetof(struct kvm_regs, rdi),
    offsetof(struct kvm_regs, r8),  offsetof(struct kvm_regs, r9),  offsetof(struct kvm_regs, r10), offsetof(struct kvm_regs, r11),
    offsetof(struct kvm_regs, r12), offsetof(struct kvm_regs, r13), offsetof(struct kvm_regs, r14), offsetof(struct kvm_regs, r15),
};
static u64 *gpr_in(struct kvm_regs *r, unsigned i) { return (u64 *)((u8 *)r + gpr_place[i]); }

static void pull_regs(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_regs r;
    ioctl(h->fd, KVM_GET_REGS, &r);
    for (unsigned i = 0; i < 16; i++)
        s->gpr[i] = *gpr_in(&r, i);
    s->rip = r.rip;
    s->rflags = r.rflags;
}

static void push_regs(struct host_vcpu *h, const struct cpu_state *s)
{
    struct kvm_regs r = { .rip = s->rip, .rflags = s->rflags };
    for (unsigned i = 0; i < 16; i++)
        *gpr_in(&r, i) = s->gpr[i];
    ioctl(h->fd, KVM_SET_REGS, &r);
}

/* --- segments and control registers --- */

static struct segment segment_from(const struct kvm_segment *k)
{
    return (struct segment){
        .selector = k->selector, .base = k->base, .limit = k->limit,
        .attr = k->type | k->s << 4 | k->dpl << 5 | k->present << 7 | k->avl << 12 | k->l << 13 | k->db << 14 | k->g << 15 |
                (k->unusable ? SEG_UNUSABLE : 0),
    };
}

static struct kvm_segment segment_to(const struct segment *s)
{
    return (struct kvm_segment){
        .base = s->base, .limit = s->limit, .selector = s->selector,
        .type = s->attr & SEG_TYPE, .s = !!(s->attr & SEG_S), .dpl = seg_dpl(s->attr), .present = !!(s->attr & SEG_P),
        .avl = !!(s->attr & SEG_AVL), .l = !!(s->attr & SEG_L), .db = !!(s->attr & SEG_DB), .g = !!(s->attr & SEG_G),
        .unusable = !!(s->attr & SEG_UNUSABLE),
    };
}

static struct kvm_segment *segment_in(struct kvm_sregs *k, unsigned i)
{
    struct kvm_segment *const place[SREG_COUNT] = { [ES] = &k->es, [CS] = &k->cs, [SS] = &k->ss, [DS] = &k->ds, [FS] = &k->fs, [GS] = &k->gs };
    return place[i];
}

/* KVM_GET_SREGS has no PAE pointers: they are what memory held when CR3 was loaded, in practice still. */
static void pull_pdptes(struct host_vcpu *h, struct cpu_state *s)
{
    if (s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LMA))
        physmap_read(&h->v->vm->map, s->cr3 & 0xffffffe0, s->pdpte, sizeof s->pdpte);
}

static void pull_sregs(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_sregs k;
    ioctl(h->fd, KVM_GET_SREGS, &k);
    for (unsigned i = 0; i < SREG_COUNT; i++)
        s->seg[i] = segment_from(segment_in(&k, i));
    s->ldtr = segment_from(&k.ldt);
    s->tr = segment_from(&k.tr);
    s->gdtr = (struct dtable){ k.gdt.base, k.gdt.limit };
    s->idtr = (struct dtable){ k.idt.base, k.idt.limit };
    s->cr0 = k.cr0;
    s->cr2 = k.cr2;
    s->cr3 = k.cr3;
    s->cr4 = k.cr4;
    s->cr8 = k.cr8;
    s->efer = k.efer;
    s->apic_base = k.apic_base;
    pull_pdptes(h, s);
}

static void push_sregs(struct host_vcpu *h, const struct cpu_state *s)
{
    struct kvm_sregs k;
    ioctl(h->fd, KVM_GET_SREGS, &k);
    for (unsigned i = 0; i < SREG_COUNT; i++)
        *segment_in(&k, i) = segment_to(&s->seg[i]);
    k.ldt = segment_to(&s->ldtr);
    k.tr = segment_to(&s->tr);
    k.gdt.base = s->gdtr.base;
    k.gdt.limit = s->gdtr.limit;
    k.idt.base = s->idtr.base;
    k.idt.limit = s->idtr.limit;
    k.cr0 = s->cr0;
    k.cr2 = s->cr2;
    k.cr3 = s->cr3;
    k.cr4 = s->cr4;
    k.cr8 = s->cr8;
    k.efer = s->efer;
    k.apic_base = s->apic_base;
    memset(k.interrupt_bitmap, 0, sizeof k.interrupt_bitmap);
    ioctl(h->fd, KVM_SET_SREGS, &k);
}

/* --- FPU --- */

static void pull_fpu(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_fpu k;
    ioctl(h->fd, KVM_GET_FPU, &k);
    memcpy(s->fpu.st, k.fpr, sizeof s->fpu.st);
    memcpy(s->fpu.xmm, k.xmm, sizeof s->fpu.xmm);
    s->fpu.fcw = k.fcw;
    s->fpu.fsw = k.fsw;
    s->fpu.ftw = k.ftwx;
    s->fpu.fop = k.last_opcode;
    s->fpu.fip = k.last_ip;
    s->fpu.fdp = k.last_dp;
    s->fpu.mxcsr = k.mxcsr;
}

static void push_fpu(struct host_vcpu *h, const struct cpu_state *s)
{
    struct kvm_fpu k = {
        .fcw = s->fpu.fcw, .fsw = s->fpu.fsw, .ftwx = s->fpu.ftw, .last_opcode = s->fpu.fop, .last_ip = s->fpu.fip, .last_dp = s->fpu.fdp,
        .mxcsr = s->fpu.mxcsr,
    };
    memcpy(k.fpr, s->fpu.st, sizeof k.fpr);
    memcpy(k.xmm, s->fpu.xmm, sizeof k.xmm);
    ioctl(h->fd, KVM_SET_FPU, &k);
}

/* --- MSRs --- */

struct msr_row { u32 number; u16 offset; };
static const struct msr_row msr_rows[] = {
    { 0x174, offsetof(struct cpu_state, sysenter_cs) },     { 0x175, offsetof(struct cpu_state, sysenter_esp) },
    { 0x176, offsetof(struct cpu_state, sysenter_eip) },    { 0x277, offsetof(struct cpu_state, pat) },
    { 0xc0000081, offsetof(struct cpu_state, star) },       { 0xc0000082, offsetof(struct cpu_state, lstar) },
    { 0xc0000083, offsetof(struct cpu_state, cstar) },      { 0xc0000084, offsetof(struct cpu_state, sfmask) },
    { 0xc0000102, offsetof(struct cpu_state, kernel_gs_base) },
};
_Static_assert(ARRAY_LEN(msr_rows) <= HOST_MAX_MSRS, "one entry a row");
#define MSR_TSC 0x10

static u64 *msr_in(struct cpu_state *s, u32 number)
{
    for (unsigned i = 0; i < ARRAY_LEN(msr_rows); i++)
        if (msr_rows[i].number == number)
            return (u64 *)((u8 *)s + msr_rows[i].offset);
    return NULL;
}

union msr_buffer { struct kvm_msrs head; u8 bytes[sizeof(struct kvm_msrs) + HOST_MAX_MSRS * sizeof(struct kvm_msr_entry)]; };

static bool get_msr(struct host_vcpu *h, u32 number)
{
    union msr_buffer b = { .head = { .nmsrs = 1 } };
    b.head.entries[0].index = number;
    return ioctl(h->fd, KVM_GET_MSRS, &b) == 1;
}

void host_find_msrs(struct host_vcpu *h)
{
    for (unsigned i = 0; i < ARRAY_LEN(msr_rows); i++)
        if (get_msr(h, msr_rows[i].number))
            h->msr[h->nmsrs++] = msr_rows[i].number;
}

static void pull_msrs(struct host_vcpu *h, struct cpu_state *s)
{
    union msr_buffer b = { .head = { .nmsrs = h->nmsrs } };
    for (unsigned i = 0; i < h->nmsrs; i++)
        b.head.entries[i].index = h->msr[i];
    ioctl(h->fd, KVM_GET_MSRS, &b);
    for (unsigned i = 0; i < h->nmsrs; i++)
        *msr_in(s, h->msr[i]) = b.head.entries[i].data;
}

static void push_msrs(struct host_vcpu *h, struct cpu_state *s)
{
    union msr_buffer b = { .head = { .nmsrs = h->nmsrs + 1 } };
    for (unsigned i = 0; i < h->nmsrs; i++) {
        b.head.entries[i].index = h->msr[i];
        b.head.entries[i].data = *msr_in(s, h->msr[i]);
    }
    b.head.entries[h->nmsrs].index = MSR_TSC;
    b.head.entries[h->nmsrs].data = h->v->vm->clock.now + s->tsc_offset;
    ioctl(h->fd, KVM_SET_MSRS, &b);
}

/* --- debug registers, shadows of STI and MOV SS --- */

static void pull_events(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_debugregs d;
    struct kvm_vcpu_events e;
    ioctl(h->fd, KVM_GET_DEBUGREGS, &d);
    memcpy(s->dr, d.db, sizeof d.db);
    s->dr[6] = d.dr6;
    s->dr[7] = d.dr7;
    ioctl(h->fd, KVM_GET_VCPU_EVENTS, &e);
    s->sti_shadow = !!(e.interrupt.shadow & KVM_X86_SHADOW_INT_STI);
    s->movss_shadow = !!(e.interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS);
    s->nmi_blocked = e.nmi.masked;
}

static void push_events(struct host_vcpu *h, const struct cpu_state *s)
{
    struct kvm_debugregs d = { .dr6 = s->dr[6], .dr7 = s->dr[7] };
    struct kvm_vcpu_events e = { .flags = KVM_VCPUEVENT_VALID_SHADOW };
    memcpy(d.db, s->dr, sizeof d.db);
    ioctl(h->fd, KVM_SET_DEBUGREGS, &d);
    e.interrupt.shadow = (s->sti_shadow ? KVM_X86_SHADOW_INT_STI : 0) | (s->movss_shadow ? KVM_X86_SHADOW_INT_MOV_SS : 0);
    e.nmi.masked = s->nmi_blocked;
    ioctl(h->fd, KVM_SET_VCPU_EVENTS, &e);
}

/* --- CPUID: the model that every engine shows --- */

#define MAX_CPUID 64

static void add_leaves(struct host_vcpu *h, struct kvm_cpuid2 *c, u32 first)
{
    u32 out[4], last;
    cpu_cpuid(&h->v->cpu, first, 0, out);
    last = out[0];
    for (u32 leaf = first; leaf >= first && leaf <= last && c->nent < MAX_CPUID; leaf++) {
        cpu_cpuid(&h->v->cpu, leaf, 0, out);
        c->entries[c->nent++] = (struct kvm_cpuid_entry2){ .function = leaf, .eax = out[0], .ebx = out[1], .ecx = out[2], .edx = out[3] };
    }
}

int host_set_cpuid(struct host_vcpu *h, struct error *err)
{
    struct kvm_cpuid2 *c = calloc(1, sizeof *c + MAX_CPUID * sizeof c->entries[0]);
    add_leaves(h, c, 0);
    add_leaves(h, c, 0x80000000);
    int r = ioctl(h->fd, KVM_SET_CPUID2, c);
    free(c);
    return r < 0 ? error_set(err, "/dev/kvm refuses this processor model's CPUID; try another --cpu, or --kvm=model") : 0;
}

/* --- all of it --- */

void host_pull(struct host_vcpu *h)
{
    struct cpu_state *s = &h->v->cpu.state;
    if (!h->in_kernel)
        return;
    if (h->unfinished) { /* let KVM complete the instruction whose I/O was done */
        h->run->immediate_exit = 1;
        ioctl(h->fd, KVM_RUN, 0);
        h->run->immediate_exit = 0;
        h->unfinished = false;
    }
    pull_regs(h, s);
    pull_sregs(h, s);
    pull_fpu(h, s);
    pull_msrs(h, s);
    pull_events(h, s);
    h->in_kernel = false;
    cpu_state_changed(&h->v->cpu);
}

void host_push(struct host_vcpu *h)
{
    struct cpu_state *s = &h->v->cpu.state;
    if (h->in_kernel)
        return;
    push_sregs(h, s);
    push_regs(h, s);
    push_fpu(h, s);
    push_msrs(h, s);
    push_events(h, s);
    h->in_kernel = true;
    h->run->if_flag = !!(s->rflags & FLAG_IF);
    h->run->ready_for_interrupt_injection = cpu_interruptible(&h->v->cpu);
}
