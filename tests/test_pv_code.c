/* SPDX-License-Identifier: MIT */
/* The small Xen: code that runs in ring 1: traps, emulation, upcalls, and mistakes that end a domain. */
#include "pvtest.h"

#define HANDLER (CODE + 0x800)

/* Every exception leads to HANDLER, which spins. */
static void catch_all(struct fixture *f)
{
    for (unsigned v = 0; v < 32; v++)
        f->d->v.trap[v] = (trap_info32){ v, 0, FLAT_RING1_CS, HANDLER };
    poke(f, HANDLER, "\xeb\xfe", 2);
}

static struct exit run_code(struct fixture *f, const void *code, u32 len)
{
    struct exit e = { 0 };
    poke(f, CODE, code, len);
    f->vm->vcpu[0]->cpu.state.rip = CODE;
    f->vm->engine->run(f->vm->vcpu[0], f->vm->clock.now + 20000, &e);
    return e;
}
#define RUN(f, code) run_code(&f, code, sizeof(code) - 1)

/* Words on top of the guest's stack. */
static u32 stack_word(struct fixture *f, unsigned n)
{
    return peek32(f, f->vm->vcpu[0]->cpu.state.gpr[RSP] + n * 4);
}

static void test_store_to_page_table_faults(void)
{
    WITH(f);
    u8 code[] = "\xc7\x05????\x01\x00\x00\x00"; /* movl $1, table */
    u32 table = start_info(&f)->pt_base;
    memcpy(code + 2, &table, 4);
    catch_all(&f);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 0), PF_PRESENT | PF_WRITE);
    CHECK_EQ(stack_word(&f, 1), CODE);
    CHECK_EQ(stack_word(&f, 2), 0xe019 | 1 << 16); /* events were masked */
    CHECK_EQ(stack_word(&f, 3) & FLAG_IF, 0);
    CHECK_EQ(f.d->v.info->arch.cr2, table);
    CHECK_EQ(f.vm->ledger.count[EV_PV_BOUNCE_PF], 1);
    DONE(f);
}

/* Stores into tables: one that is valid is done for the guest, by halves too; no other kind of instruction is. */
static void test_store_to_page_table_is_emulated(void)
{
    WITH(f);
    u32 b = mfn_of(&f, PAGE(1)), mfn = mfn_of(&f, PAGE(0));
    u8 code[] = "\xc7\x05????????\xc7\x05????\x00\x00\x00\x00\xeb\xfe"; /* movl $low, entry; movl $0, entry + 4 */
    u32 at = PAGE(0) + 8, upper = at + 4, low = entry(b, RW);
    memcpy(code + 2, &at, 4);
    memcpy(code + 6, &low, 4);
    memcpy(code + 12, &upper, 4);
    catch_all(&f);
    detach(&f, 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 20);
    CHECK_EQ(peek64(&f, at), entry(b, RW));
    CHECK_EQ(f.d->frame[b].type_count, 2);
    CHECK_EQ(f.vm->ledger.count[EV_PV_PTWR], 2);
    CHECK_EQ(pte_of(&f, PAGE(0)) & RW, PTE_P); /* read-only as before */
    low = entry(mfn, RW);                      /* itself, writable */
    memcpy(code + 6, &low, 4);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 1), CODE);
    CHECK_EQ(peek64(&f, at), entry(b, RW));
    f.vm->vcpu[0]->cpu.state.gpr[RDI] = at;
    RUN(f, "\xab"); /* stos: not of the simple kind */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.gpr[RDI], at);
    CHECK_EQ(f.vm->ledger.count[EV_PV_PTWR], 2);
    DONE(f);
}

/* The table that is written maps itself: the processor's dirty bit in one entry is not the guest's store into another. */
static void test_store_to_the_live_table(void)
{
    WITH(f);
    u8 code[] = "\xc7\x05????????\xeb\xfe"; /* movl $low, entry */
    u32 table = start_info(&f)->pt_base + 2 * 4096, at = table + (PAGE(0) >> 12 & 511) * 8, low = entry(mfn_of(&f, PAGE(1)), RW);
    memcpy(code + 2, &at, 4);
    memcpy(code + 6, &low, 4);
    catch_all(&f);
    CHECK_EQ(maddr(mfn_of(&f, table)), pte_address(&f, PAGE(0)) & PAGE_MASK);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 10);
    CHECK_EQ(pte_of(&f, PAGE(0)), low);
    CHECK_EQ(pte_of(&f, table) & RW, PTE_P);
    DONE(f);
}

/* A translation that the guest did not have flushed must not outlive the page's change into a table. */
static void test_stale_translation_of_a_table(void)
{
    WITH(f);
    u8 code[] = "\xa3????\xeb\xfe"; /* mov %eax, page; spin */
    u32 page = PAGE(0), mfn = mfn_of(&f, PAGE(0));
    memcpy(code + 1, &page, 4);
    catch_all(&f);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 5);
    CHECK_EQ(call(&f, __HYPERVISOR_update_va_mapping, page, entry(mfn, PTE_P), 0, UVMF_NONE), 0);
    struct mmuext_op32 op = { MMUEXT_CLEAR_PAGE, mfn, 0 };
    poke(&f, PAGE(1), &op, sizeof op);
    CHECK_EQ(call(&f, __HYPERVISOR_mmuext_op, PAGE(1), 1, 0, DOMID_SELF), 0);
    CHECK_EQ(mmuext(&f, MMUEXT_PIN_L1_TABLE, mfn, 0), 0);
    f.vm->vcpu[0]->cpu.state.gpr[RAX] = entry(0, RW); /* not the guest's to map */
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    DONE(f);
}

static void test_hypervisor_is_out_of_reach(void)
{
    WITH(f);
    catch_all(&f);
    RUN(f, "\xa1\x00\x00\x80\xf5\xeb\xfe"); /* mov M2P[0], %eax; spin: may be read */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 5);
    RUN(f, "\xa3\x00\x00\x80\xf5");         /* mov %eax, M2P[0] */
    CHECK_EQ(stack_word(&f, 0), PF_PRESENT | PF_WRITE);
    RUN(f, "\xa1\x00\x00\x00\xff");         /* mov GDT, %eax: beyond the segment */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 0), 0);
    CHECK_EQ(f.vm->ledger.count[EV_PV_BOUNCE], 1);
    RUN(f, "\xb8\x10\xe0\x00\x00\x8e\xd8"); /* mov $0xe010, %eax; mov %eax, %ds: ring 0's data */
    CHECK_EQ(stack_word(&f, 0), 0xe010);
    RUN(f, "\xcd\x20");                     /* int $0x20: not the guest's */
    CHECK_EQ(stack_word(&f, 0), 0x20 << 3 | 2);
    DONE(f);
}

static void test_emulated_instructions(void)
{
    WITH(f);
    const u64 *gpr = f.vm->vcpu[0]->cpu.state.gpr, *count = f.vm->ledger.count;
    catch_all(&f);
    RUN(f, "\x0f\x20\xd8\xeb\xfe"); /* mov %cr3, %eax */
    CHECK_EQ(gpr[RAX], maddr(f.d->v.base_mfn));
    RUN(f, "\x0f\x06\xfa\xfb\x0f\x09\xeb\xfe"); /* clts; cli; sti; wbinvd */
    CHECK_EQ(count[EV_PV_EMULATE_CR], 2);
    CHECK_EQ(count[EV_PV_EMULATE_OTHER], 3);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 1);
    RUN(f, "\xe4\x80"); /* in $0x80, %al without I/O privilege */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    f.d->v.iopl = 1;
    RUN(f, "\x31\xc0\xe4\x80\xeb\xfe");
    CHECK_EQ(gpr[RAX], 0xff);
    CHECK_EQ(count[EV_PV_EMULATE_IO], 1);
    RUN(f, "\xb8\x00\x00\x00\x40\x0f\x0b\x78\x65\x6e\x0f\xa2\xeb\xfe"); /* Xen's CPUID, leaf 40000000h */
    CHECK_EQ(gpr[RBX], 0x566e6558);
    CHECK_EQ(count[EV_PV_EMULATE_CPUID], 1);
    RUN(f, "\x0f\x22\xd8"); /* mov %eax, %cr3: with what CPUID left there, no page table */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    RUN(f, "\x0f\x01\x15\x00\x00\x00\xc0"); /* lgdt */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    struct exit e = RUN(f, "\xf4\xeb\xfe"); /* hlt */
    CHECK_EQ(e.kind, EXIT_HLT);
    DONE(f);
}

/* The third way to a hypercall page, beside the note and the old string: a register that CPUID names. */
static void test_hypercall_page_by_msr(void)
{
    WITH(f);
    catch_all(&f);
    u8 code[] = "\xb9\x00\x00\x00\x40\xb8????\xba\x00\x00\x00\x00\x0f\x30\xeb\xfe"; /* mov $MSR, %ecx; mov, %eax; mov $0, %edx; wrmsr; spin */
    u32 leaf[4], wrong[] = { maddr(mfn_of(&f, PAGE(5))) + 8, maddr(f.d->v.base_mfn), maddr(f.d->xen_l1_private), 0xfffff000 };
    pv_cpuid(f.d, 0x40000002, 0, leaf);
    CHECK_EQ(leaf[0], 1);
    CHECK_EQ(leaf[1], 0x40000000);
    poke32(&f, PAGE(5), 99);
    u32 page = maddr(mfn_of(&f, PAGE(5)));
    memcpy(code + 6, &page, 4);
    RUN(f, code);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 17);
    for (u32 at = 0; at < 4096; at += 4)
        CHECK_EQ(peek32(&f, PAGE(5) + at), peek32(&f, STUBS + at));
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        check_context("machine address 0x%x", wrong[i]);
        memcpy(code + 6, &wrong[i], 4);
        RUN(f, code);
        CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    }
    DONE(f);
}

/* INT 82h is ring 1's: from ring 3 it is a general protection fault. */
static void test_hypercall_from_ring_3(void)
{
    WITH(f);
    const u8 code[] = { 0xcd, 0x82 };
    catch_all(&f);
    f.d->v.kernel_sp = PAGE(20);
    CHECK_EQ(update_va(&f, CODE, pte_of(&f, CODE) | PTE_USER), 0);
    CHECK(load_context(f.d, FLAT_RING3_CS_32, CODE, FLAG_IF, FLAT_RING3_DS_32, PAGE(10)));
    run_code(&f, code, sizeof code);
    CHECK_EQ(state_cpl(&f.vm->vcpu[0]->cpu.state), 1);
    CHECK_EQ(stack_word(&f, 0), 0x82 << 3 | 2);
    CHECK_EQ(stack_word(&f, 4), PAGE(10)); /* the stack that it came from */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.gpr[RSP], PAGE(20) - 6 * 4);
    DONE(f);
}

static void test_fpu_switch(void)
{
    WITH(f);
    catch_all(&f);
    CHECK_EQ(call(&f, __HYPERVISOR_fpu_taskswitch, 1, 0, 0, 0), 0);
    RUN(f, "\xd9\xe8"); /* fld1 */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK(!(f.vm->vcpu[0]->cpu.state.cr0 & CR0_TS)); /* already clear in the handler */
    CHECK_EQ(stack_word(&f, 0), CODE);
    DONE(f);
}

static void test_upcall_and_iret(void)
{
    WITH(f);
    struct cpu_state *s = &f.vm->vcpu[0]->cpu.state;
    u32 stack = s->gpr[RSP];
    poke(&f, HANDLER, "\xe9", 1); /* jmp to the iret stub */
    poke32(&f, HANDLER + 1, STUBS + 23 * 32 - (HANDLER + 5));
    f.d->v.event_cs = FLAT_RING1_CS;
    f.d->v.event_eip = HANDLER;
    f.d->shared->evtchn_mask[0] = 0;
    f.d->v.info->evtchn_upcall_mask = 0;
    event_set_pending(f.d, 1);
    s->gpr[RAX] = 0x1234;
    poke(&f, CODE, "\xeb\xfe", 2);
    struct exit e;
    f.vm->engine->step(f.vm->vcpu[0], &e);
    CHECK_EQ(s->rip, STUBS + 23 * 32);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 1);
    CHECK_EQ(stack_word(&f, 1), FLAT_RING1_CS); /* the saved mask is clear */
    CHECK_EQ(stack_word(&f, 2) & FLAG_IF, FLAG_IF);
    f.d->v.info->evtchn_upcall_pending = 0;
    RUN(f, "\xeb\xfe");
    for (unsigned i = 0; i < 4 && s->rip != CODE; i++)
        f.vm->engine->step(f.vm->vcpu[0], &e);
    s->rip = STUBS + 23 * 32;
    for (unsigned i = 0; i < 4 && s->rip != CODE; i++)
        f.vm->engine->step(f.vm->vcpu[0], &e);
    CHECK_EQ(s->rip, CODE);
    CHECK_EQ(s->gpr[RAX], 0x1234);
    CHECK_EQ(s->gpr[RSP], stack);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, 0);
    CHECK_EQ(f.vm->ledger.count[EV_PV_UPCALL], 1);
    DONE(f);
}

static void ends_with(const void *code, u32 len, void (*prepare)(struct fixture *f), const char *why)
{
    WITH(f);
    if (prepare)
        prepare(&f);
    struct exit e = run_code(&f, code, len);
    CHECK_EQ(e.kind, EXIT_STOPPED);
    CHECK_CONTAINS(f.d->why, why);
    DONE(f);
}

static void bad_stack(struct fixture *f)
{
    catch_all(f);
    f->vm->vcpu[0]->cpu.state.gpr[RSP] = 0x1000;
}
static void bad_handler(struct fixture *f)
{
    f->d->v.trap[6] = (trap_info32){ 6, 0, XEN_RING0_CS | 1, HANDLER };
}
static void iret_frame(struct fixture *f, u32 cs, u32 flags)
{
    const u32 frame[6] = { 0, CODE, cs, flags, 0x1000, FLAT_RING3_DS_32 };
    poke(f, PAGE(0), frame, sizeof frame);
    f->vm->vcpu[0]->cpu.state.gpr[RSP] = PAGE(0);
}
static void iret_to_ring0(struct fixture *f) { iret_frame(f, XEN_RING0_CS, FLAG_IF); }
static void iret_to_v86(struct fixture *f) { iret_frame(f, FLAT_RING3_CS_32, FLAG_VM | FLAG_IF); }
static void iret_to_data(struct fixture *f) { iret_frame(f, FLAT_RING3_DS_32, FLAG_IF); }

static void test_fatal_mistakes(void)
{
    static const u8 undefined[] = { 0x0f, 0x0b }, iret[] = { 0xb8, 23, 0, 0, 0, 0xcd, 0x82 };
    ends_with(undefined, sizeof undefined, NULL, "no handler");
    ends_with(undefined, sizeof undefined, bad_stack, "no room for a trap frame");
    ends_with(undefined, sizeof undefined, bad_handler, "cannot be entered");
    ends_with(iret, sizeof iret, bad_stack, "unreadable stack");
    ends_with(iret, sizeof iret, iret_to_ring0, "impossible");
    ends_with(iret, sizeof iret, iret_to_v86, "impossible");
    ends_with(iret, sizeof iret, iret_to_data, "impossible");
}

/* A return that cannot be made goes to the failsafe callback, with what was wanted on its stack. */
static void check_failsafe(u32 cs, bool in_kernel, bool masks)
{
    WITH(f);
    struct callback_register32 r = { CALLBACKTYPE_failsafe, masks ? CALLBACKF_mask_events : 0, FLAT_RING1_CS, HANDLER };
    struct cpu_state *s = &f.vm->vcpu[0]->cpu.state;
    poke(&f, PAGE(1), &r, sizeof r);
    CHECK_EQ(call(&f, __HYPERVISOR_callback_op, CALLBACKOP_register, PAGE(1), 0, 0), 0);
    CHECK_EQ(call(&f, __HYPERVISOR_stack_switch, FLAT_RING1_DS, PAGE(3), 0, 0), 0);
    catch_all(&f);
    u16 ds = s->seg[DS].selector, fs = s->seg[FS].selector;
    iret_frame(&f, cs, FLAG_IF | FLAG_FIXED);
    poke32(&f, PAGE(0), 0x5678);
    f.d->v.info->evtchn_upcall_mask = 1;
    RUN(f, "\xb8\x17\x00\x00\x00\xcd\x82"); /* mov $23, %eax; int $0x82 */
    CHECK_EQ(s->rip, HANDLER);
    CHECK_EQ(s->seg[CS].selector, FLAT_RING1_CS);
    CHECK_EQ(s->gpr[RSP], in_kernel ? PAGE(0) + 16 - 28 : PAGE(3) - 36);
    CHECK_EQ(s->gpr[RAX], 0x5678);
    CHECK_EQ(stack_word(&f, 0), ds);
    CHECK_EQ(stack_word(&f, 2), fs);
    CHECK_EQ(stack_word(&f, 4), CODE);
    CHECK_EQ(stack_word(&f, 5), cs); /* events are not masked where it wanted to go */
    CHECK_EQ(stack_word(&f, 6) & FLAG_IF, FLAG_IF);
    CHECK_EQ(s->seg[DS].selector, 0);
    CHECK(s->seg[DS].attr & SEG_UNUSABLE);
    CHECK_EQ(f.d->v.info->evtchn_upcall_mask, masks);
    if (!in_kernel) {
        CHECK_EQ(stack_word(&f, 7), 0x1000);
        CHECK_EQ(stack_word(&f, 8), FLAT_RING3_DS_32);
    }
    DONE(f);
}

static void test_failsafe(void)
{
    check_failsafe(FLAT_RING3_DS_32, false, false);
    check_failsafe(0x57, false, true);          /* an empty LDT */
    check_failsafe(FLAT_RING1_DS, true, false);
}

/* An LDT page is mapped when it is used, checked first, and let go when the guest wants the page back. */
static void test_ldt_is_lazy(void)
{
    WITH(f);
    u32 mfn = mfn_of(&f, PAGE(3));
    catch_all(&f);
    poke64(&f, PAGE(3) + 8, descriptor(0, 0xfffff, 0xf2));
    CHECK_EQ(mmuext(&f, MMUEXT_SET_LDT, PAGE(3), 16), 0);
    RUN(f, "\xb8\x0f\x00\x00\x00\x8e\xe0"); /* mov $0xf, %eax; mov %eax, %fs: the page is still writable */
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, HANDLER);
    CHECK_EQ(stack_word(&f, 0), 0xc);
    detach(&f, 3);
    RUN(f, "\xb8\x0f\x00\x00\x00\x8e\xe0\xeb\xfe");
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.rip, CODE + 7);
    CHECK_EQ(f.vm->vcpu[0]->cpu.state.seg[FS].limit, GUEST_SEGMENT_END - 1); /* cut */
    CHECK_EQ(f.vm->ledger.count[EV_PV_LDT_FAULT], 1);
    CHECK_EQ(f.d->frame[mfn].type, TYPE_SEGDESC);
    CHECK_EQ(update_va(&f, PAGE(3), entry(mfn, RW)), 0);
    CHECK_EQ(f.d->v.ldt_mfn[0], 0);
    DONE(f);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "store-to-page-table-faults", test_store_to_page_table_faults },
        { "store-to-page-table-is-emulated", test_store_to_page_table_is_emulated },
        { "store-to-the-live-table", test_store_to_the_live_table },
        { "stale-translation-of-a-table", test_stale_translation_of_a_table },
        { "hypervisor-is-out-of-reach", test_hypervisor_is_out_of_reach },
        { "emulated-instructions", test_emulated_instructions },
        { "hypercall-page-by-msr", test_hypercall_page_by_msr },
        { "hypercall-from-ring-3", test_hypercall_from_ring_3 },
        { "fpu-switch", test_fpu_switch },
        { "upcall-and-iret", test_upcall_and_iret },
        { "fatal-mistakes", test_fatal_mistakes },
        { "failsafe", test_failsafe },
        { "ldt-is-lazy", test_ldt_is_lazy },
        { NULL, NULL },
    };
    return check_main(argc, argv, "code in ring 1", tests);
}
