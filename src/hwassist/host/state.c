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

static void take_regs(struct kvm_regs *r, struct cpu_state *s)
{
    for (unsigned i = 0; i < 16; i++)
        s->gpr[i] = *gpr_in(r, i);
    s->rip = r->rip;
    s->rflags = r->rflags;
}

/* The next KVM_RUN takes them from the shared page. */
static void push_regs(struct host_vcpu *h, const struct cpu_state *s)
{
    struct kvm_regs r = { .rip = s->rip, .rflags = s->rflags };
    for (unsigned i = 0; i < 16; i++)
        *gpr_in(&r, i) = s->gpr[i];
    if (host_can(h->vm, HOST_SYNC_REGS)) {
        h->run->s.regs.regs = r;
        h->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
    } else
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

static bool uses_pdptes(const struct cpu_state *s) { return s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(s->efer & EFER_LMA); }

/* struct kvm_sregs has no PAE pointers, its second version has. Without that: what memory held when CR3 was loaded, in practice still. */
static void pull_pdptes(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_sregs2 k;
    if (!uses_pdptes(s))
        return;
    if (host_can(h->vm, HOST_SREGS2) && ioctl(h->fd, KVM_GET_SREGS2, &k) == 0 && k.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
        memcpy(s->pdpte, k.pdptrs, sizeof s->pdpte);
    else
        physmap_read(&h->v->vm->map, s->cr3 & 0xffffffe0, s->pdpte, sizeof s->pdpte);
}

static void take_sregs(struct kvm_sregs *k, struct cpu_state *s)
{
    for (unsigned i = 0; i < SREG_COUNT; i++)
        s->seg[i] = segment_from(segment_in(k, i));
    s->ldtr = segment_from(&k->ldt);
    s->tr = segment_from(&k->tr);
    s->gdtr = (struct dtable){ k->gdt.base, k->gdt.limit };
    s->idtr = (struct dtable){ k->idt.base, k->idt.limit };
    s->cr0 = k->cr0;
    s->cr2 = k->cr2;
    s->cr3 = k->cr3;
    s->cr4 = k->cr4;
    s->cr8 = k->cr8;
    s->efer = k->efer;
    s->apic_base = k->apic_base;
}

static void give_sregs(struct kvm_sregs *k, const struct cpu_state *s)
{
    for (unsigned i = 0; i < SREG_COUNT; i++)
        *segment_in(k, i) = segment_to(&s->seg[i]);
    k->ldt = segment_to(&s->ldtr);
    k->tr = segment_to(&s->tr);
    k->gdt.base = s->gdtr.base;
    k->gdt.limit = s->gdtr.limit;
    k->idt.base = s->idtr.base;
    k->idt.limit = s->idtr.limit;
    k->cr0 = s->cr0;
    k->cr2 = s->cr2;
    k->cr3 = s->cr3;
    k->cr4 = s->cr4;
    k->cr8 = s->cr8;
    k->efer = s->efer;
    k->apic_base = s->apic_base;
}

/* Both versions begin with the same fields. */
_Static_assert(offsetof(struct kvm_sregs, apic_base) == offsetof(struct kvm_sregs2, apic_base), "one layout up to the APIC base");

/* KVM refuses what no processor can be in: then the guest must not run on with something else. */
static int push_sregs(struct host_vcpu *h, const struct cpu_state *s)
{
    union { struct kvm_sregs one; struct kvm_sregs2 two; } k;
    memset(&k, 0, sizeof k);
    give_sregs(&k.one, s);
    h->run->cr8 = s->cr8; /* KVM_RUN takes it from here where the local APIC is ours */
    if (!uses_pdptes(s) || !host_can(h->vm, HOST_SREGS2))
        return ioctl(h->fd, KVM_SET_SREGS, &k.one);
    k.two.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
    memcpy(k.two.pdptrs, s->pdpte, sizeof k.two.pdptrs);
    return ioctl(h->fd, KVM_SET_SREGS2, &k.two);
}

/* --- FPU: KVM_GET_FPU knows nothing of MXCSR, so by the XSAVE image, which begins with FXSAVE's --- */

enum { XSAVE_X87 = 1, XSAVE_SSE = 2, XSTATE_BV_AT = 512 / 8 }; /* SDM vol. 1, 13.4 */
union xsave_image { struct kvm_xsave kvm; struct fpu_state legacy; u64 word[sizeof(struct kvm_xsave) / 8]; };
_Static_assert(sizeof(struct fpu_state) == 512, "the legacy region of an XSAVE image");

static void pull_fpu(struct host_vcpu *h, struct cpu_state *s)
{
    union xsave_image x;
    if (ioctl(h->fd, KVM_GET_XSAVE, &x) == 0)
        s->fpu = x.legacy;
}

/* What is beyond SSE goes back as it was. */
static void push_fpu(struct host_vcpu *h, const struct cpu_state *s)
{
    union xsave_image x;
    if (ioctl(h->fd, KVM_GET_XSAVE, &x) < 0)
        return;
    x.legacy = s->fpu;
    x.word[XSTATE_BV_AT] |= XSAVE_X87 | XSAVE_SSE;
    ioctl(h->fd, KVM_SET_XSAVE, &x);
}

/* --- MSRs --- */

struct msr_row { u32 number; u16 offset; };
static const struct msr_row msr_rows[] = {
    { 0x174, offsetof(struct cpu_state, sysenter_cs) },     { 0x175, offsetof(struct cpu_state, sysenter_esp) },
    { 0x176, offsetof(struct cpu_state, sysenter_eip) },    { 0x277, offsetof(struct cpu_state, pat) },
    { 0xc0000081, offsetof(struct cpu_state, star) },       { 0xc0000082, offsetof(struct cpu_state, lstar) },
    { 0xc0000083, offsetof(struct cpu_state, cstar) },      { 0xc0000084, offsetof(struct cpu_state, sfmask) },
    { 0xc0000102, offsetof(struct cpu_state, kernel_gs_base) }, { 0xc0000103, offsetof(struct cpu_state, tsc_aux) },
    { 0x1a0, offsetof(struct cpu_state, misc_enable) },     { 0x2ff, offsetof(struct cpu_state, mtrr_def_type) },
#define PHYS(i) { 0x200 + i, offsetof(struct cpu_state, mtrr_phys[i]) }
    PHYS(0), PHYS(1), PHYS(2), PHYS(3), PHYS(4), PHYS(5), PHYS(6), PHYS(7), PHYS(8), PHYS(9), PHYS(10), PHYS(11), PHYS(12), PHYS(13), PHYS(14), PHYS(15),
#undef PHYS
#define FIXED(msr, i) { msr, offsetof(struct cpu_state, mtrr_fixed[i]) }
    FIXED(0x250, 0), FIXED(0x258, 1), FIXED(0x259, 2), FIXED(0x268, 3), FIXED(0x269, 4), FIXED(0x26a, 5), FIXED(0x26b, 6), FIXED(0x26c, 7),
    FIXED(0x26d, 8), FIXED(0x26e, 9), FIXED(0x26f, 10),
#undef FIXED
};
_Static_assert(ARRAY_LEN(msr_rows) + 1 <= HOST_MAX_MSRS, "one entry a row, and the TSC");
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
    h->msr[h->nmsrs++] = MSR_TSC;
}

/* The guest's TSC went on at the host's rate: what it shows now is what it goes on from, whoever runs it next. */
static void take_msr(struct host_vcpu *h, struct cpu_state *s, const struct kvm_msr_entry *e)
{
    if (e->index == MSR_TSC)
        s->tsc_offset = e->data - h->v->vm->clock.now;
    else
        *msr_in(s, e->index) = e->data;
}

static void pull_msrs(struct host_vcpu *h, struct cpu_state *s)
{
    union msr_buffer b = { .head = { .nmsrs = h->nmsrs } };
    for (unsigned i = 0; i < h->nmsrs; i++)
        b.head.entries[i].index = h->msr[i];
    int got = ioctl(h->fd, KVM_GET_MSRS, &b);
    for (int i = 0; i < got; i++)
        take_msr(h, s, &b.head.entries[i]);
}

/* KVM sets them in order, up to the first that it refuses: that one is left out, and the rest follows. */
static void push_msrs(struct host_vcpu *h, struct cpu_state *s)
{
    for (unsigned done = 0; done < h->nmsrs;) {
        union msr_buffer b = { .head = { .nmsrs = h->nmsrs - done } };
        for (unsigned i = done; i < h->nmsrs; i++) {
            bool tsc = h->msr[i] == MSR_TSC;
            b.head.entries[i - done] = (struct kvm_msr_entry){ .index = h->msr[i], .data = tsc ? h->v->vm->clock.now + s->tsc_offset : *msr_in(s, h->msr[i]) };
        }
        int set = ioctl(h->fd, KVM_SET_MSRS, &b);
        if (set < 0)
            break;
        done += set + 1;
    }
}

/* --- debug registers, shadows of STI and MOV SS --- */

static void pull_debugregs(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_debugregs d;
    ioctl(h->fd, KVM_GET_DEBUGREGS, &d);
    memcpy(s->dr, d.db, sizeof d.db);
    s->dr[6] = d.dr6;
    s->dr[7] = d.dr7;
}

static void take_shadows(const struct kvm_vcpu_events *e, struct cpu_state *s)
{
    s->sti_shadow = !!(e->interrupt.shadow & KVM_X86_SHADOW_INT_STI);
    s->movss_shadow = !!(e->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS);
    s->nmi_blocked = e->nmi.masked;
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

/*
 * An event that KVM has taken for the guest and not delivered yet (KVM_RUN came back before, or memory was missing on the way). The
 * canonical state stands between two instructions and has no place for it, so the interpreter delivers it. What software asked for
 * (INT n, INT3, INTO) is not: RIP stands before that instruction, which is executed again.
 */
static void deliver_events(struct host_vcpu *h, const struct kvm_vcpu_events *e)
{
    struct cpu *c = &h->v->cpu;
    bool soft = e->exception.nr == VEC_BP || e->exception.nr == VEC_OF;
    if (e->nmi.injected || e->nmi.pending) {
        h->v->nmi = true;
        c->state.nmi_blocked &= !e->nmi.injected;
    }
    if (e->exception.injected && !soft) {
        struct trap t = { .vector = e->exception.nr, .type = TRAP_FAULT, .has_error = e->exception.has_error_code, .error = e->exception.error_code, .cr2 = c->state.cr2 };
        cpu_deliver(c, &t);
    } else if (e->interrupt.injected && !e->interrupt.soft)
        cpu_interrupt(c, e->interrupt.nr);
}

/* --- CPUID: the model that every engine shows --- */

#define MAX_CPUID 64

static void add_leaf(struct host_vcpu *h, struct kvm_cpuid2 *c, u32 leaf, u32 sub, u32 flags, u32 out[4])
{
    cpu_cpuid(&h->v->cpu, leaf, sub, out);
    if (c->nent < MAX_CPUID)
        c->entries[c->nent++] = (struct kvm_cpuid_entry2){ .function = leaf, .index = sub, .flags = flags, .eax = out[0], .ebx = out[1], .ecx = out[2], .edx = out[3] };
}

/* One row for each cache, up to one of type 0 (SDM vol. 2, CPUID, leaf 4). */
static void add_caches(struct host_vcpu *h, struct kvm_cpuid2 *c)
{
    u32 out[4] = { 1 };
    for (u32 sub = 0; out[0] & 0x1f && sub < MAX_CPUID; sub++)
        add_leaf(h, c, 4, sub, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, out);
}

static void add_leaves(struct host_vcpu *h, struct kvm_cpuid2 *c, u32 first)
{
    u32 out[4], last;
    cpu_cpuid(&h->v->cpu, first, 0, out);
    last = out[0];
    for (u32 leaf = first; leaf >= first && leaf <= last && c->nent < MAX_CPUID; leaf++) {
        if (leaf == 4)
            add_caches(h, c);
        else
            add_leaf(h, c, leaf, 0, 0, out);
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

/* --- halted or not: known to the kernel where HLT waits there --- */

static void pull_activity(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_mp_state m;
    if (h->vm->irqchip != IRQCHIP_OFF && ioctl(h->fd, KVM_GET_MP_STATE, &m) == 0)
        s->activity = m.mp_state == KVM_MP_STATE_HALTED ? CPU_HALTED : CPU_ACTIVE;
}

static void push_activity(struct host_vcpu *h, struct cpu_state *s)
{
    struct kvm_mp_state m = { s->activity == CPU_HALTED ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE };
    if (h->vm->irqchip == IRQCHIP_OFF)
        return;
    ioctl(h->fd, KVM_SET_MP_STATE, &m);
    s->activity = CPU_ACTIVE; /* the kernel's to wait now */
}

/* --- all of it --- */

/* One KVM_RUN that does not enter the guest: it completes the instruction whose I/O was done, and leaves the registers in the shared page. */
static void settle(struct host_vcpu *h)
{
    h->run->kvm_valid_regs = host_can(h->vm, HOST_SYNC_REGS) ? KVM_SYNC_X86_VALID_FIELDS : 0;
    if (h->unfinished || h->run->kvm_valid_regs) {
        __atomic_store_n(&h->run->immediate_exit, 1, __ATOMIC_RELAXED);
        ioctl(h->fd, KVM_RUN, 0);
        __atomic_store_n(&h->run->immediate_exit, 0, __ATOMIC_RELAXED);
        h->unfinished = false;
    }
    h->run->kvm_valid_regs = 0;
}

/* Without synced registers: one call for each kind. */
static void fetch_registers(struct host_vcpu *h)
{
    struct kvm_sync_regs *k = &h->run->s.regs;
    if (host_can(h->vm, HOST_SYNC_REGS))
        return;
    ioctl(h->fd, KVM_GET_REGS, &k->regs);
    ioctl(h->fd, KVM_GET_SREGS, &k->sregs);
    ioctl(h->fd, KVM_GET_VCPU_EVENTS, &k->events);
}

void host_pull(struct host_vcpu *h)
{
    struct cpu_state *s = &h->v->cpu.state;
    if (!h->in_kernel)
        return;
    settle(h);
    fetch_registers(h);
    take_regs(&h->run->s.regs.regs, s);
    take_sregs(&h->run->s.regs.sregs, s);
    take_shadows(&h->run->s.regs.events, s);
    pull_pdptes(h, s);
    pull_fpu(h, s);
    pull_msrs(h, s);
    pull_debugregs(h, s);
    pull_activity(h, s);
    h->in_kernel = false;
    cpu_state_changed(&h->v->cpu);
    mmu_flush(&h->v->cpu.mmu, true); /* the guest has changed its tables without our paging unit's knowledge */
    deliver_events(h, &h->run->s.regs.events);
}

int host_push(struct host_vcpu *h)
{
    struct cpu_state *s = &h->v->cpu.state;
    if (h->in_kernel)
        return 0;
    if (push_sregs(h, s) < 0)
        return -1;
    push_regs(h, s);
    push_fpu(h, s);
    push_msrs(h, s);
    push_events(h, s);
    push_activity(h, s);
    h->in_kernel = true;
    h->run->if_flag = !!(s->rflags & FLAG_IF);
    /* whether the kernel's local APIC lets the 8259A through, only it knows: it is asked for a window */
    h->run->ready_for_interrupt_injection = h->vm->irqchip == IRQCHIP_OFF && cpu_interruptible(&h->v->cpu);
    return 0;
}
