/* SPDX-License-Identifier: MIT */
/*
 * Bounce frames: how the hypervisor enters the guest kernel as if the processor had delivered a trap.
 *
 *     from ring 3:  SS, ESP of the interrupted code      on the kernel stack of stack_switch
 *     always:       EFLAGS, whose IF says "events were not masked"
 *                   CS in the low half, the saved event mask in bits 16 to 23
 *                   EIP
 *     some:         error code
 *
 * The real IF stays set while the guest runs: what the guest kernel thinks of as its interrupt flag is
 * the byte evtchn_upcall_mask in shared memory, which it may write without asking anybody.
 */
#include "paravirt/domain.h"

#define FLAGS_CLEARED (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM)

/* Code and stack descriptors as a return to an outer ring wants them (SDM vol. 2, IRET). */
static bool code_ok(const struct segment *s, unsigned cpl)
{
    if (!(s->attr & SEG_P) || !(s->attr & SEG_S) || !(s->attr & SEG_CODE))
        return false;
    return s->attr & SEG_CONFORMING ? seg_dpl(s->attr) <= cpl : seg_dpl(s->attr) == cpl;
}

static bool stack_ok(const struct segment *s, unsigned cpl)
{
    return s->attr & SEG_P && s->attr & SEG_S && !(s->attr & SEG_CODE) && s->attr & SEG_RW && seg_dpl(s->attr) == cpl;
}

static bool read_segment(struct domain *d, u16 selector, struct segment *s)
{
    u64 raw;
    if (!(selector & ~3))
        return false;
    if (cpu_read_descriptor(domain_cpu(d), selector, &raw) < 0 &&
        !(selector & 4 && ldt_fault(d, LDT_VIRT + (selector & ~7u)) && cpu_read_descriptor(domain_cpu(d), selector, &raw) == 0))
        return false;
    segment_from_descriptor(s, selector, raw);
    return true;
}

/* Segments that the new privilege may not use are emptied (SDM vol. 3, 5.8.4). */
static void drop_privileged_data(struct cpu_state *s, unsigned cpl)
{
    static const u8 data[] = { ES, DS, FS, GS };
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        struct segment *seg = &s->seg[data[i]];
        bool conforming = seg->attr & SEG_CODE && seg->attr & SEG_CONFORMING;
        if (!conforming && seg_dpl(seg->attr) < cpl)
            *seg = (struct segment){ .attr = SEG_UNUSABLE };
    }
}

bool load_context(struct domain *d, u16 cs, u32 eip, u32 eflags, u16 ss, u32 esp)
{
    struct cpu_state *s = &domain_cpu(d)->state;
    struct segment code, stack;
    unsigned cpl = cs & 3;
    if (!cpl || (ss & 3) != cpl || !read_segment(d, cs, &code) || !read_segment(d, ss, &stack))
        return false;
    if (!code_ok(&code, cpl) || !stack_ok(&stack, cpl) || eip > code.limit)
        return false;
    code.attr |= SEG_ACCESSED;
    stack.attr |= SEG_ACCESSED;
    s->seg[CS] = code;
    s->seg[SS] = stack;
    drop_privileged_data(s, cpl);
    s->rip = eip;
    s->gpr[RSP] = esp;
    s->rflags = (eflags & ~(FLAG_IOPL | FLAG_VM)) | FLAG_IF | FLAG_FIXED;
    return true;
}

/* The frame's words, lowest address first. Returns how many. */
static unsigned frame_words(struct domain *d, u32 word[6], bool has_error, u32 error)
{
    const struct cpu_state *s = &domain_cpu(d)->state;
    u8 mask = d->v.info->evtchn_upcall_mask;
    unsigned n = 0;
    if (has_error)
        word[n++] = error;
    word[n++] = s->rip;
    word[n++] = s->seg[CS].selector | (u32)mask << 16;
    word[n++] = (s->rflags & ~(FLAG_IF | FLAG_IOPL)) | (mask ? 0 : FLAG_IF) | (u32)d->v.iopl << 12;
    if (!guest_kernel_mode(d)) {
        word[n++] = s->gpr[RSP];
        word[n++] = s->seg[SS].selector;
    }
    return n;
}

/* Segment and offset at which the frame will lie: on the stack in use, or from ring 3 on the kernel's. */
static bool frame_stack(struct domain *d, bool in_kernel, u16 *ss, u32 *top, u32 *base)
{
    const struct cpu_state *s = &domain_cpu(d)->state;
    struct segment stack = s->seg[SS];
    *ss = stack.selector;
    *top = s->gpr[RSP];
    if (!in_kernel) {
        *ss = d->v.kernel_ss;
        *top = d->v.kernel_sp;
        if (!read_segment(d, *ss, &stack))
            return false;
    }
    *base = stack.base;
    return true;
}

/* Enter the kernel with n words on its stack. */
static bool enter_kernel(struct domain *d, u16 cs, u32 eip, bool in_kernel, const u32 *word, unsigned n, bool mask_events)
{
    u32 top, base, flags = domain_cpu(d)->state.rflags & ~FLAGS_CLEARED;
    u16 ss;
    if (!frame_stack(d, in_kernel, &ss, &top, &base)) {
        domain_crash(d, "its kernel stack segment 0x%x is unusable", d->v.kernel_ss);
        return false;
    }
    u32 esp = top - n * 4;
    if (copy_to_guest(d, base + esp, word, n * 4) < 0) {
        domain_crash(d, "no room for a trap frame on its kernel stack, esp=0x%x", top);
        return false;
    }
    if (!load_context(d, cs, eip, flags, ss, esp)) {
        domain_crash(d, "its handler %x:%x cannot be entered", cs, eip);
        return false;
    }
    if (mask_events)
        d->v.info->evtchn_upcall_mask = 1;
    return true;
}

bool bounce(struct domain *d, u16 cs, u32 eip, bool has_error, u32 error, bool mask_events)
{
    u32 word[6];
    unsigned n = frame_words(d, word, has_error, error);
    return enter_kernel(d, cs, eip, guest_kernel_mode(d), word, n, mask_events);
}

bool upcall_deliver(struct domain *d)
{
    if (!d->v.event_eip)
        return false;
    charge(d, EV_PV_UPCALL);
    return bounce(d, d->v.event_cs, d->v.event_eip, false, 0, true);
}

/* Xen's own IRET to where the guest wants to go has faulted. That is no exception of the code there, which was never reached: the failsafe
 * callback gets the frame that failed, below it the data segments, which are emptied. word[]: as do_iret() has it. */
static void failsafe(struct domain *d, const u32 word[6], u16 ss, u32 esp)
{
    static const u8 data[] = { DS, ES, FS, GS };
    struct cpu_state *s = &domain_cpu(d)->state;
    bool in_kernel = (word[2] & 3) == 1;
    u32 frame[9] = { [4] = word[1], (word[2] & 0xffff) | (u32)d->v.info->evtchn_upcall_mask << 16, (word[3] & ~FLAG_IOPL) | (u32)d->v.iopl << 12, esp, ss };
    for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
        frame[i] = s->seg[data[i]].selector;
        s->seg[data[i]] = (struct segment){ .attr = SEG_UNUSABLE };
    }
    if (in_kernel)
        s->gpr[RSP] = esp;
    charge(d, EV_PV_BOUNCE);
    enter_kernel(d, d->v.failsafe_cs, d->v.failsafe_eip, in_kernel, frame, in_kernel ? 7 : 9, d->v.failsafe_masks);
}

/* Hypercall iret: the stub pushed EAX on top of the frame that it wants to return through. The event mask comes
 * back with EFLAGS, at once with the return: nothing can slip in between. */
s32 do_iret(struct domain *d, const u32 arg[6])
{
    struct cpu_state *s = &domain_cpu(d)->state;
    u32 word[6], base = s->seg[SS].base, esp = s->gpr[RSP];
    u32 size = 16; /* EAX, EIP, CS, EFLAGS */
    if (copy_from_guest(d, word, base + esp, 16) == 0 && (word[2] & 3) != 1)
        size = 24;
    if (copy_from_guest(d, word, base + esp, size) < 0) {
        domain_crash(d, "hypercall iret from an unreadable stack, esp=0x%x", esp);
        return 0;
    }
    u16 ss = size == 24 ? word[5] : s->seg[SS].selector;
    u32 new_esp = size == 24 ? word[4] : esp + 16;
    bool done = !(word[3] & FLAG_VM) && load_context(d, word[2], word[1], word[3], ss, new_esp);
    if (!done && (word[3] & FLAG_VM || !(word[2] & 3) || !d->v.failsafe_eip)) {
        domain_crash(d, "hypercall iret to %x:%x with stack %x:%x is impossible", word[2] & 0xffff, word[1], ss, new_esp);
        return 0;
    }
    d->v.info->evtchn_upcall_mask = !(word[3] & FLAG_IF);
    if (!done)
        failsafe(d, word, ss, new_esp);
    s->gpr[RAX] = word[0];
    return word[0];
}
