/* SPDX-License-Identifier: MIT */
/*
 * IA-32e mode, the system side (SDM vol. 3): how it is entered and left, its gates, stacks and returns, its fast system calls, what is
 * canonical, its page tables, and what it no longer has. What user-mode instructions compute is compared in test_native64.c.
 */
#include "guest64.h"

#include "machine/loader.h"

enum {
    GDT_AT = 0x2000, IDT_AT = 0x4000, TSS_AT = 0x3000, HANDLERS_AT = 0x5000, LDT_AT = 0x3800, RSP0 = 0x6fe8, IST1 = 0x6808, IST2 = 0x6400,
    USER_STACK = 0x9000,
};

/* Selectors; system descriptors have two places each */
enum {
    S_CODE0 = 0x08, S_DATA0 = 0x10, S_CODE32 = 0x18 /* user, compatibility mode; what SYSRET expects from here on */, S_DATA3 = 0x20,
    S_CODE3 = 0x28, S_TSS = 0x30, S_BOTH = 0x40 /* L and D */, S_CALL = 0x48, S_LDT = 0x58, S_KCODE32 = 0x68, S_TSS16 = 0x70,
    S_CALL_TO32 = 0x78, S_CALL_BAD = 0x88 /* a type in the upper half */, S_FAR_TSS = 0x98 /* base not canonical */,
    S_CALL_FAR = 0xa8 /* offset not canonical */, S_CONFORM = 0xb8, GDT_LIMIT = 0xff, S_CUT_TSS = 0xf8 /* half of it is beyond the table */,
};

#define NOT_CANONICAL 0x0000800000000000
#define HIGH 0xffff800000000000 /* canonical */

static struct guest g;
static struct cpu_state *const s = &g.cpu.state;

static u64 descriptor(u32 base, u32 limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 0xf) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}

static void put_gate(gpa_t at, u16 selector, u64 offset, unsigned access, unsigned ist)
{
    guest_poke64(&g, at, (offset & 0xffff) | (u64)selector << 16 | (u64)ist << 32 | (u64)access << 40 | (u64)(offset >> 16 & 0xffff) << 48);
    guest_poke64(&g, at + 8, offset >> 32);
}
static void set_gate(unsigned vector, u16 selector, u64 offset, unsigned access, unsigned ist) { put_gate(IDT_AT + 16 * vector, selector, offset, access, ist); }
static void set_descriptor(u16 selector, u64 raw) { guest_poke64(&g, GDT_AT + selector, raw); }

static void fill_gdt(void)
{
    static const struct { u16 selector; u32 base, limit; u8 access, flags; } row[] = {
        { S_CODE0, 0, 0xfffff, 0x9a, 0xa }, { S_DATA0, 0, 0xfffff, 0x92, 0xc }, { S_CODE32, 0, 0xfffff, 0xfa, 0xc }, { S_DATA3, 0, 0xfffff, 0xf2, 0xc },
        { S_CODE3, 0, 0xfffff, 0xfa, 0xa }, { S_TSS, TSS_AT, 0x2ff, 0x89, 0 }, { S_BOTH, 0, 0xfffff, 0x9a, 0xe }, { S_LDT, LDT_AT, 0xf, 0x82, 0 },
        { S_KCODE32, 0, 0xfffff, 0x9a, 0xc }, { S_TSS16, TSS_AT, 0x2ff, 0x81, 0 }, { S_FAR_TSS, TSS_AT, 0x2ff, 0x89, 0 }, { S_CUT_TSS, TSS_AT, 0x2ff, 0x89, 0 },
        { S_CONFORM, 0, 0xfffff, 0x9e, 0xa },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++)
        set_descriptor(row[i].selector, descriptor(row[i].base, row[i].limit, row[i].access, row[i].flags));
    put_gate(GDT_AT + S_CALL, S_CODE0, HANDLERS_AT, 0xec, 0);
    put_gate(GDT_AT + S_CALL_TO32, S_KCODE32, HANDLERS_AT, 0xec, 0);
    put_gate(GDT_AT + S_CALL_BAD, S_CODE0, HANDLERS_AT, 0xec, 0);
    set_descriptor(S_CALL_BAD + 8, (u64)0xf << 40);
    put_gate(GDT_AT + S_CALL_FAR, S_CODE0, NOT_CANONICAL, 0xec, 0);
    set_descriptor(S_FAR_TSS + 8, NOT_CANONICAL >> 32);
    set_descriptor(S_LDT + 8, HIGH >> 32);
}

static void set_segment(unsigned seg, u16 selector)
{
    segment_from_descriptor(&s->seg[seg], selector, guest_peek64(&g, GDT_AT + (selector & ~7)));
    s->seg[seg].attr |= SEG_ACCESSED;
}

static void set_ring(unsigned ring, u16 code)
{
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        set_segment(seg, seg == CS ? code | ring : ring ? S_DATA3 | 3 : S_DATA0);
    s->gpr[RSP] = ring ? USER_STACK : GUEST_STACK_AT;
    cpu_state_changed(&g.cpu);
}

/* 64-bit mode with all of it; 3: the user's, 0: the kernel's. */
static void start_model(unsigned ring, const char *model)
{
    guest_init_long(&g, model);
    fill_gdt();
    for (unsigned v = 0; v < 64; v++) {
        set_gate(v, S_CODE0, HANDLERS_AT + v * 16, 0x8e, 0);
        guest_put(&g, HANDLERS_AT + v * 16, "\xf4", 1);
    }
    s->gdtr = (struct dtable){ GDT_AT, GDT_LIMIT };
    s->idtr = (struct dtable){ IDT_AT, 64 * 16 - 1 };
    s->tr = (struct segment){ S_TSS, TSS_AT, 0x2ff, 0x8b };
    s->ldtr = (struct segment){ .attr = SEG_UNUSABLE };
    guest_poke64(&g, TSS_AT + 4, RSP0);
    guest_poke64(&g, TSS_AT + 36, IST1);
    guest_poke64(&g, TSS_AT + 44, IST2);
    guest_poke32(&g, TSS_AT + 100, 104u << 16);
    memset(g.ram + TSS_AT + 104, 0xff, 0x180);
    g.ram[TSS_AT + 104 + 0x80 / 8] = 0; /* ports 80 to 87 are everybody's */
    set_ring(ring, ring ? S_CODE3 : S_CODE0);
}
static void start(unsigned ring) { start_model(ring, "core2-64"); }

enum { NONE = -1, OTHER = -2 };
#define FAULT(vector, error) ((int)((vector) << 16 | (error)))

static int step_bytes(const void *code, unsigned len)
{
    guest_put(&g, GUEST_CODE_AT, code, len);
    s->rip = GUEST_CODE_AT;
    s->activity = CPU_ACTIVE;
    g.cpu.icept_exc = ~0u;
    enum cpu_stop_kind why = cpu_step(&g.cpu);
    g.cpu.icept_exc = 0;
    if (why != STOP_TRAP)
        return NONE;
    CHECK_EQ(s->rip, GUEST_CODE_AT);
    return FAULT(g.cpu.stop.trap.vector, g.cpu.stop.trap.has_error ? g.cpu.stop.trap.error : 0);
}
#define STEP(literal) step_bytes((literal), sizeof(literal) - 1)

static int run_to_handler(void)
{
    if (guest_run(&g) != STOP_HLT || s->rip < HANDLERS_AT)
        return -1;
    return (int)(s->rip - HANDLERS_AT) / 16;
}
static u64 stack64(unsigned n) { return guest_peek64(&g, s->gpr[RSP] + 8 * n); }

/* --- into IA-32e mode and out of it, 9.8.5 --- */

/* 32-bit protected mode, tables ready, EFER.LME set. */
static void start_before(void)
{
    guest_init(&g, 32);
    g.cpu.model = cpu_model_find("core2-64");
    guest_tables64(&g);
    fill_gdt();
    s->gdtr = (struct dtable){ GDT_AT, GDT_LIMIT };
    s->cr3 = PML4_AT;
    s->cr4 = CR4_PAE;
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000080, EFER_LME | EFER_SCE | EFER_NXE));
    cpu_state_changed(&g.cpu);
}

static void test_enter_and_leave(void)
{
    start_before();
    CHECK(!state_long(s));
    CHECK(cpu_write_cr(&g.cpu, 0, s->cr0 | CR0_PG));
    CHECK(state_long(s));
    CHECK_EQ(g.cpu.mmu.mode, PAGING_4LEVEL);
    CHECK_EQ(state_code_bits(s), 32); /* compatibility mode, until a far jump */
    s->rip = GUEST_CODE_AT;
    GUEST_CODE(&g, "\xea\x00\x12\x00\x00\x08\x00"); /* ljmp S_CODE0:1200 */
    guest_put(&g, 0x1200, "\x48\xb8\xef\xcd\xab\x89\x67\x45\x23\x01\xf4", 11); /* mov rax, imm64; hlt */
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(state_code_bits(s), 64);
    CHECK_EQ(s->gpr[RAX], 0x0123456789abcdef);
    CHECK(!cpu_write_cr(&g.cpu, 0, s->cr0 & ~CR0_PG));          /* not out of 64-bit code */
    CHECK(!cpu_write_cr(&g.cpu, 4, 0));                         /* PAE must stay */
    CHECK(!cpu_write_cr(&g.cpu, 0, s->cr0 | BIT(32)));
    CHECK(!cpu_write_cr(&g.cpu, 3, PML4_AT | BIT(36)));         /* beyond the physical address */
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000080, EFER_SCE));            /* LME under paging */
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000080, EFER_LME));
    CHECK_EQ(s->efer, EFER_LME | EFER_LMA);
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000080, EFER_LME | BIT(1)));
    set_segment(CS, S_KCODE32);
    cpu_state_changed(&g.cpu);
    CHECK(cpu_write_cr(&g.cpu, 0, s->cr0 & ~CR0_PG));
    CHECK_EQ(s->efer, EFER_LME);
    CHECK(cpu_write_cr(&g.cpu, 4, 0));
    guest_fini(&g);
}

static void test_may_not_enter(void)
{
    start_before();
    s->cr4 = 0; /* no PAE */
    CHECK(!cpu_write_cr(&g.cpu, 0, s->cr0 | CR0_PG));
    s->cr4 = CR4_PAE;
    s->seg[CS].attr |= SEG_L;
    CHECK(!cpu_write_cr(&g.cpu, 0, s->cr0 | CR0_PG));
    s->seg[CS].attr &= ~SEG_L;
    s->tr.attr = 0x83; /* a busy 16-bit TSS */
    CHECK(!cpu_write_cr(&g.cpu, 0, s->cr0 | CR0_PG));
    CHECK(!state_long(s));
    s->tr.attr = 0x8b;
    CHECK(cpu_write_cr(&g.cpu, 0, s->cr0 | CR0_PG));
    guest_fini(&g);
    guest_init(&g, 32); /* a processor without it */
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000080, EFER_LME));
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000080, EFER_SCE));
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000102, 0));
    guest_fini(&g);
}

/* --- delivery, 6.14 --- */

static void test_deliver_from_user(void)
{
    start(3);
    s->rflags |= FLAG_IF;
    s->gpr[RSP] = USER_STACK + 4;
    GUEST_CODE(&g, "\xfa"); /* cli */
    CHECK_EQ(run_to_handler(), VEC_GP);
    CHECK_EQ(s->gpr[RSP], (RSP0 & ~15) - 48); /* aligned first */
    CHECK_EQ(stack64(0), 0);
    CHECK_EQ(stack64(1), GUEST_CODE_AT);
    CHECK_EQ(stack64(2), S_CODE3 | 3);
    CHECK_EQ(stack64(3), FLAG_FIXED | FLAG_IF | FLAG_RF);
    CHECK_EQ(stack64(4), USER_STACK + 4);
    CHECK_EQ(stack64(5), S_DATA3 | 3);
    CHECK_EQ(s->seg[SS].selector, 0); /* null, with the new level */
    CHECK(s->seg[SS].attr & SEG_UNUSABLE);
    CHECK_EQ(state_cpl(s), 0);
    CHECK_EQ(state_code_bits(s), 64);
    CHECK(!(s->rflags & FLAG_IF));
    guest_fini(&g);
}

/* The same level: SS:RSP is pushed all the same, SS stays. From compatibility mode: the handler is 64-bit code. */
static void test_deliver_same_level(void)
{
    static const u16 from[] = { S_CODE0, S_KCODE32 };
    for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
        start(0);
        set_ring(0, from[i]);
        s->gpr[RSP] = GUEST_STACK_AT + 8;
        set_gate(0x30, S_CODE0, HANDLERS_AT + 0x300, 0x8f, 0); /* a trap gate */
        s->rflags |= FLAG_IF;
        GUEST_CODE(&g, "\xcd\x30");
        CHECK_EQ(run_to_handler(), 0x30);
        CHECK_EQ(s->gpr[RSP], GUEST_STACK_AT - 40);
        CHECK_EQ(stack64(0), GUEST_CODE_AT + 2);
        CHECK_EQ(stack64(1), from[i]);
        CHECK_EQ(stack64(3), GUEST_STACK_AT + 8);
        CHECK_EQ(stack64(4), S_DATA0);
        CHECK_EQ(s->seg[SS].selector, S_DATA0);
        CHECK_EQ(state_code_bits(s), 64);
        CHECK(s->rflags & FLAG_IF);
        guest_fini(&g);
    }
}

static void test_ist(void)
{
    start(0);
    set_gate(VEC_UD, S_CODE0, HANDLERS_AT + 16 * VEC_UD, 0x8e, 2);
    GUEST_CODE(&g, "\x0f\x0b");
    CHECK_EQ(run_to_handler(), VEC_UD);
    CHECK_EQ(s->gpr[RSP], IST2 - 40);
    CHECK_EQ(stack64(3), GUEST_STACK_AT);
    CHECK_EQ(s->seg[SS].selector, S_DATA0); /* the level has not changed */
    guest_fini(&g);
    start(3);
    set_gate(VEC_UD, S_CODE0, HANDLERS_AT + 16 * VEC_UD, 0x8e, 1);
    GUEST_CODE(&g, "\x0f\x0b");
    CHECK_EQ(run_to_handler(), VEC_UD);
    CHECK_EQ(s->gpr[RSP], (IST1 & ~15) - 40);
    CHECK_EQ(s->seg[SS].selector, 0);
    guest_fini(&g);
}

/* What is wrong with gate, handler or stack. EXT is clear for INT n. */
static void test_gate_checks(void)
{
    static const struct { u16 selector; u64 offset; u8 access, ist; u64 rsp0; u32 tr_limit; int fault; } row[] = {
        { S_CODE0, HANDLERS_AT + 0x300, 0xee, 0, RSP0, 0x67, NONE },
        { S_CODE0, HANDLERS_AT + 0x300, 0x8e, 0, RSP0, 0x67, FAULT(VEC_GP, 0x182) },        /* DPL */
        { S_CODE0, HANDLERS_AT + 0x300, 0x6e, 0, RSP0, 0x67, FAULT(VEC_NP, 0x182) },
        { S_CODE0, HANDLERS_AT + 0x300, 0xe6, 0, RSP0, 0x67, FAULT(VEC_GP, 0x182) },        /* 16 bits */
        { S_CODE0, HANDLERS_AT + 0x300, 0xe5, 0, RSP0, 0x67, FAULT(VEC_GP, 0x182) },        /* a task */
        { S_KCODE32, HANDLERS_AT + 0x300, 0xee, 0, RSP0, 0x67, FAULT(VEC_GP, S_KCODE32) },  /* no 64-bit code */
        { S_BOTH, HANDLERS_AT + 0x300, 0xee, 0, RSP0, 0x67, FAULT(VEC_GP, S_BOTH) },
        { S_DATA0, HANDLERS_AT + 0x300, 0xee, 0, RSP0, 0x67, FAULT(VEC_GP, S_DATA0) },
        { 0, HANDLERS_AT + 0x300, 0xee, 0, RSP0, 0x67, FAULT(VEC_GP, 0) },
        { S_CODE0, NOT_CANONICAL, 0xee, 0, RSP0, 0x67, FAULT(VEC_GP, 0) },
        { S_CODE0, HANDLERS_AT + 0x300, 0xee, 0, NOT_CANONICAL + 0x1000, 0x67, FAULT(VEC_SS, 0) },
        { S_CODE0, HANDLERS_AT + 0x300, 0xee, 0, RSP0, 10, FAULT(VEC_TS, S_TSS) },          /* RSP0 is cut off */
        { S_CODE0, HANDLERS_AT + 0x300, 0xee, 1, RSP0, 42, FAULT(VEC_TS, S_TSS) },          /* IST1 is */
        { S_CODE0, HANDLERS_AT + 0x300, 0xee, 1, RSP0, 43, NONE },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        start(3);
        set_gate(0x30, row[i].selector, row[i].offset, row[i].access, row[i].ist);
        guest_poke64(&g, TSS_AT + 4, row[i].rsp0);
        s->tr.limit = row[i].tr_limit;
        g.cpu.icept_exc = ~0u;
        struct trap t = { .vector = 0x30, .type = TRAP_SOFT_INT, .insn_len = 2 };
        enum cpu_stop_kind why = cpu_deliver(&g.cpu, &t);
        check_context("row %u", i);
        CHECK_EQ(why == STOP_TRAP ? FAULT(g.cpu.stop.trap.vector, g.cpu.stop.trap.error) : NONE, row[i].fault);
        guest_fini(&g);
    }
    start(0);
    s->idtr.limit = 0x30 * 16 + 14; /* the last byte of the gate is cut off */
    check_context("the limit");
    GUEST_CODE(&g, "\xcd\x30");
    CHECK_EQ(run_to_handler(), VEC_GP);
    CHECK_EQ(stack64(0), 0x182);
    guest_fini(&g);
}

/* --- IRET, RETF --- */

static void push_frame(u64 rip, u16 cs, u64 flags, u64 rsp, u16 ss)
{
    const u64 frame[] = { rip, cs, flags, rsp, ss };
    for (unsigned i = 0; i < ARRAY_LEN(frame); i++)
        guest_poke64(&g, GUEST_STACK_AT + 8 * i, frame[i]);
}

static void test_iretq(void)
{
    static const struct { u64 rip; u16 cs; u64 rsp; u16 ss; int fault; unsigned cpl, bits; } row[] = {
        { 0x1500, S_CODE3 | 3, USER_STACK + 1, S_DATA3 | 3, NONE, 3, 64 },
        { 0x1500, S_CODE32 | 3, HIGH | USER_STACK, S_DATA3 | 3, NONE, 3, 32 },
        { 0x1500, S_CODE0, HIGH + 8, S_DATA0, NONE, 0, 64 },        /* the same level: RSP all the same */
        { HIGH, S_CODE0, USER_STACK, 0, NONE, 0, 64 },              /* 64-bit code needs no SS */
        { 0x1500, S_KCODE32, USER_STACK, S_DATA0, NONE, 0, 32 },
        { 0x1500, S_KCODE32, USER_STACK, 0, FAULT(VEC_GP, 0), 0, 0 },
        { 0x1500, S_CODE3 | 3, USER_STACK, 3, FAULT(VEC_GP, 0), 0, 0 }, /* but in ring 3 */
        { NOT_CANONICAL, S_CODE3 | 3, USER_STACK, S_DATA3 | 3, FAULT(VEC_GP, 0), 0, 0 },
        { BIT(32), S_CODE32 | 3, USER_STACK, S_DATA3 | 3, FAULT(VEC_GP, 0), 0, 0 }, /* beyond the limit */
        { 0x1500, S_BOTH, USER_STACK, S_DATA0, FAULT(VEC_GP, S_BOTH), 0, 0 },
        { 0x1500, S_CODE3 | 3, USER_STACK, S_DATA0, FAULT(VEC_GP, S_DATA0), 0, 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        start(0);
        push_frame(row[i].rip, row[i].cs, FLAG_IF | FLAG_VM | 3 << 12, row[i].rsp, row[i].ss);
        check_context("row %u", i);
        CHECK_EQ(STEP("\x48\xcf"), row[i].fault);
        if (row[i].fault == NONE) {
            CHECK_EQ(s->rip, row[i].rip);
            CHECK_EQ(s->gpr[RSP], row[i].bits == 64 ? row[i].rsp : (u32)row[i].rsp);
            CHECK_EQ(s->seg[SS].selector, row[i].ss);
            CHECK_EQ(state_cpl(s), row[i].cpl);
            CHECK_EQ(state_code_bits(s), row[i].bits);
            CHECK_EQ(s->rflags, FLAG_FIXED | FLAG_IF | 3 << 12); /* no virtual-8086 mode any more */
        } else {
            CHECK_EQ(s->gpr[RSP], GUEST_STACK_AT);
        }
        guest_fini(&g);
    }
    start(0);
    s->rflags |= FLAG_NT; /* no tasks */
    CHECK_EQ(STEP("\x48\xcf"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

/* From compatibility mode SS:ESP is popped only if the level changes. */
static void test_iret_compatibility(void)
{
    start(0);
    set_ring(0, S_KCODE32);
    const u32 frame[] = { 0x1500, S_CODE0, FLAG_FIXED, 0x1234, 0x5678 };
    guest_put(&g, GUEST_STACK_AT, frame, sizeof frame);
    CHECK_EQ(STEP("\xcf"), NONE);
    CHECK_EQ(state_code_bits(s), 64);
    CHECK_EQ(s->gpr[RSP], GUEST_STACK_AT + 12);
    guest_fini(&g);
}

static void test_retf(void)
{
    start(0);
    push_frame(0x1500, S_CODE3 | 3, USER_STACK, S_DATA3 | 3, 0);
    CHECK_EQ(STEP("\x48\xcb"), NONE);
    CHECK_EQ(s->rip, 0x1500);
    CHECK_EQ(s->gpr[RSP], USER_STACK);
    CHECK_EQ(state_cpl(s), 3);
    CHECK_EQ(state_code_bits(s), 64);
    guest_fini(&g);
    start(0);
    push_frame(NOT_CANONICAL, S_CODE0, 0, 0, 0);
    CHECK_EQ(STEP("\x48\xcb"), FAULT(VEC_GP, 0));
    guest_poke64(&g, GUEST_STACK_AT, (u64)S_KCODE32 << 32 | 0x1500); /* the default operand has 32 bits */
    CHECK_EQ(STEP("\xcb"), NONE);
    CHECK_EQ(state_code_bits(s), 32);
    CHECK_EQ(s->gpr[RSP], GUEST_STACK_AT + 8);
    guest_fini(&g);
}

/* --- far transfers and call gates, 5.8.3.1, 5.8.5.1 --- */

static int far_transfer(const char *code, u16 selector, u64 offset, unsigned offset_bytes)
{
    guest_put(&g, GUEST_DATA_AT, &offset, offset_bytes);
    guest_put(&g, GUEST_DATA_AT + offset_bytes, &selector, 2);
    s->gpr[RBX] = GUEST_DATA_AT;
    return step_bytes(code, strlen(code));
}

static void test_far(void)
{
    start(0);
    CHECK_EQ(far_transfer("\xff\x2b", S_KCODE32, 0x1500, 4), NONE); /* jmp far [rbx] */
    CHECK_EQ(state_code_bits(s), 32);
    set_ring(0, S_CODE0);
    CHECK_EQ(far_transfer("\x48\xff\x2b", S_CODE0, HIGH, 8), NONE);
    CHECK_EQ(s->rip, HIGH);
    CHECK_EQ(far_transfer("\x48\xff\x2b", S_CODE0, NOT_CANONICAL, 8), FAULT(VEC_GP, 0));
    CHECK_EQ(far_transfer("\xff\x2b", S_BOTH, 0x1500, 4), FAULT(VEC_GP, S_BOTH));
    CHECK_EQ(far_transfer("\xff\x2b", S_TSS, 0, 4), FAULT(VEC_GP, S_TSS)); /* no tasks */
    s->gpr[RSP] = GUEST_STACK_AT;
    CHECK_EQ(far_transfer("\x48\xff\x1b", S_CODE0, 0x1500, 8), NONE); /* call far */
    CHECK_EQ(stack64(0), GUEST_CODE_AT + 3);
    CHECK_EQ(stack64(1), S_CODE0);
    guest_fini(&g);
}

static void test_call_gate(void)
{
    start(3);
    CHECK_EQ(far_transfer("\xff\x1b", S_CALL | 3, 0, 4), NONE);
    CHECK_EQ(s->rip, HANDLERS_AT);
    CHECK_EQ(state_cpl(s), 0);
    CHECK_EQ(s->gpr[RSP], RSP0 - 32); /* a call does not align */
    CHECK_EQ(stack64(0), GUEST_CODE_AT + 2);
    CHECK_EQ(stack64(1), S_CODE3 | 3);
    CHECK_EQ(stack64(2), USER_STACK);
    CHECK_EQ(stack64(3), S_DATA3 | 3);
    CHECK_EQ(s->seg[SS].selector, 0);
    CHECK_EQ(STEP("\x48\xcb"), NONE); /* and back */
    CHECK_EQ(state_cpl(s), 3);
    CHECK_EQ(s->gpr[RSP], USER_STACK);
    CHECK_EQ(far_transfer("\xff\x2b", S_CALL | 3, 0, 4), FAULT(VEC_GP, S_CODE0)); /* a jump does not go inwards */
    CHECK_EQ(far_transfer("\xff\x1b", S_CALL_TO32 | 3, 0, 4), FAULT(VEC_GP, S_KCODE32));
    CHECK_EQ(far_transfer("\xff\x1b", S_CALL_BAD | 3, 0, 4), FAULT(VEC_GP, S_CALL_BAD));
    CHECK_EQ(far_transfer("\xff\x1b", S_CALL_FAR | 3, 0, 4), FAULT(VEC_GP, 0));
    set_descriptor(S_CALL, guest_peek64(&g, GDT_AT + S_CALL) & ~((u64)8 << 40)); /* a 16-bit gate */
    CHECK_EQ(far_transfer("\xff\x1b", S_CALL | 3, 0, 4), FAULT(VEC_GP, S_CALL));
    guest_fini(&g);
    start(0);
    CHECK_EQ(far_transfer("\xff\x1b", S_CALL, 0, 4), NONE); /* the same level, on the same stack */
    CHECK_EQ(s->gpr[RSP], GUEST_STACK_AT - 16);
    CHECK_EQ(stack64(1), S_CODE0);
    guest_fini(&g);
}

/* --- SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS --- */

static void set_syscall(void)
{
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000081, (u64)(S_CODE32 | 3) << 48 | (u64)S_CODE0 << 32));
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000082, 0x5100));
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000083, 0x5200));
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000084, FLAG_IF | FLAG_DF));
}

static void test_syscall(void)
{
    start(3);
    set_syscall();
    s->rflags |= FLAG_IF | FLAG_DF | FLAG_CF;
    CHECK_EQ(STEP("\x0f\x05"), NONE);
    CHECK_EQ(s->rip, 0x5100);
    CHECK_EQ(s->gpr[RCX], GUEST_CODE_AT + 2);
    CHECK_EQ(s->gpr[R11], FLAG_FIXED | FLAG_IF | FLAG_DF | FLAG_CF);
    CHECK_EQ(s->rflags, FLAG_FIXED | FLAG_CF);
    CHECK_EQ(s->seg[CS].selector, S_CODE0);
    CHECK_EQ(s->seg[SS].selector, S_DATA0);
    CHECK_EQ(s->gpr[RSP], USER_STACK);
    CHECK_EQ(state_cpl(s), 0);
    CHECK_EQ(state_code_bits(s), 64);
    CHECK_EQ(STEP("\x48\x0f\x07"), NONE); /* sysretq */
    CHECK_EQ(s->rip, GUEST_CODE_AT + 2);
    CHECK_EQ(s->rflags, FLAG_FIXED | FLAG_IF | FLAG_DF | FLAG_CF);
    CHECK_EQ(s->seg[CS].selector, S_CODE3 | 3);
    CHECK_EQ(s->seg[SS].selector, S_DATA3 | 3);
    CHECK_EQ(state_cpl(s), 3);
    CHECK_EQ(state_code_bits(s), 64);
    CHECK_EQ(STEP("\x48\x0f\x07"), FAULT(VEC_GP, 0)); /* in ring 3 */
    set_ring(0, S_CODE0);
    s->gpr[RCX] = HIGH | 0x1500;
    s->gpr[R11] = FLAG_RF | FLAG_VM;
    CHECK_EQ(STEP("\x0f\x07"), NONE); /* sysretl */
    CHECK_EQ(s->rip, 0x1500);
    CHECK_EQ(s->rflags, FLAG_FIXED);
    CHECK_EQ(s->seg[CS].selector, S_CODE32 | 3);
    CHECK_EQ(state_code_bits(s), 32);
    CHECK_EQ(STEP("\x0f\x05"), FAULT(VEC_UD, 0)); /* no SYSCALL in compatibility mode on Intel's */
    set_ring(0, S_CODE0);
    s->gpr[RCX] = NOT_CANONICAL; /* the fault strikes in ring 0, on the user's stack: CVE-2012-0217 */
    CHECK_EQ(STEP("\x48\x0f\x07"), FAULT(VEC_GP, 0));
    CHECK_EQ(state_cpl(s), 0);
    s->efer &= ~(u64)EFER_SCE;
    CHECK_EQ(STEP("\x0f\x05"), FAULT(VEC_UD, 0));
    CHECK_EQ(STEP("\x48\x0f\x07"), FAULT(VEC_UD, 0));
    guest_fini(&g);
}

static void test_sysenter(void)
{
    static const u16 from[] = { S_CODE3, S_CODE32 };
    for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
        start(3);
        set_ring(3, from[i]);
        CHECK_EQ(STEP("\x0f\x34"), FAULT(VEC_GP, 0)); /* SYSENTER_CS is null */
        CHECK(cpu_wrmsr(&g.cpu, 0x174, S_CODE0));
        CHECK(cpu_wrmsr(&g.cpu, 0x175, HIGH | 0x600));
        CHECK(cpu_wrmsr(&g.cpu, 0x176, HIGH | 0x500));
        CHECK(!cpu_wrmsr(&g.cpu, 0x175, NOT_CANONICAL));
        CHECK_EQ(STEP("\x0f\x34"), NONE);
        CHECK_EQ(s->rip, HIGH | 0x500);
        CHECK_EQ(s->gpr[RSP], HIGH | 0x600);
        CHECK_EQ(state_code_bits(s), 64);
        CHECK_EQ(state_cpl(s), 0);
        s->gpr[RDX] = HIGH | 1;
        s->gpr[RCX] = HIGH | 2;
        CHECK_EQ(STEP("\x0f\x35"), NONE); /* sysexit to compatibility mode: SYSENTER_CS + 16 */
        CHECK_EQ(s->seg[CS].selector, S_CODE32 | 3);
        CHECK_EQ(s->seg[SS].selector, S_DATA3 | 3);
        CHECK_EQ(s->rip, 1);
        CHECK_EQ(s->gpr[RSP], 2);
        CHECK_EQ(state_code_bits(s), 32);
        set_ring(0, S_CODE0);
        s->gpr[RCX] = HIGH | 2;
        CHECK_EQ(STEP("\x48\x0f\x35"), NONE); /* and to 64-bit mode: + 32 */
        CHECK_EQ(s->seg[CS].selector, S_CODE3 | 3);
        CHECK_EQ(s->seg[SS].selector, S_TSS | 3);
        CHECK_EQ(s->rip, HIGH | 1);
        CHECK_EQ(s->gpr[RSP], HIGH | 2);
        set_ring(0, S_CODE0);
        s->gpr[RDX] = NOT_CANONICAL;
        CHECK_EQ(STEP("\x48\x0f\x35"), FAULT(VEC_GP, 0));
        guest_fini(&g);
    }
}

static void test_bases(void)
{
    start(0);
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000100, 0x8000));
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000101, HIGH));
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000102, 0x8100));
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000101, NOT_CANONICAL));
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000082, NOT_CANONICAL));
    CHECK(!cpu_wrmsr(&g.cpu, 0xc0000103, 1)); /* no RDTSCP on this one */
    guest_poke64(&g, 0x8010, 0x1111);
    guest_poke64(&g, 0x8110, 0x2222);
    s->gpr[RBX] = 0x10;
    CHECK_EQ(STEP("\x64\x48\x8b\x03"), NONE); /* mov rax, fs:[rbx] */
    CHECK_EQ(s->gpr[RAX], 0x1111);
    CHECK_EQ(STEP("\x0f\x01\xf8"), NONE); /* swapgs */
    CHECK_EQ(s->kernel_gs_base, HIGH);
    CHECK_EQ(STEP("\x65\x48\x8b\x03"), NONE);
    CHECK_EQ(s->gpr[RAX], 0x2222);
    s->seg[DS].base = s->seg[ES].base = s->seg[SS].base = s->seg[CS].base = 0x100000; /* do not count */
    CHECK_EQ(STEP("\x48\x8b\x83\x00\x80\x00\x00"), NONE); /* mov rax, [rbx+8000] */
    CHECK_EQ(s->gpr[RAX], 0x1111);
    s->seg[CS].base = 0;
    s->gpr[RAX] = 0;
    CHECK_EQ(STEP("\x8e\xe0"), NONE); /* mov fs, ax: a null selector takes the base away */
    CHECK_EQ(s->seg[FS].base, 0);
    set_ring(3, S_CODE3);
    CHECK_EQ(STEP("\x0f\x01\xf8"), FAULT(VEC_GP, 0));
    set_ring(0, S_KCODE32);
    CHECK_EQ(STEP("\x0f\x01\xf8"), FAULT(VEC_UD, 0));
    guest_fini(&g);
}

/* --- what is canonical, 5.3.1 --- */

static void test_canonical(void)
{
    start(0);
    s->gpr[RBX] = NOT_CANONICAL;
    CHECK_EQ(STEP("\x48\x8b\x03"), FAULT(VEC_GP, 0));       /* mov rax, [rbx] */
    s->gpr[RBX] = NOT_CANONICAL - 4;
    CHECK_EQ(STEP("\x48\x8b\x03"), FAULT(VEC_GP, 0));       /* its last bytes */
    CHECK_EQ(STEP("\x8b\x03"), FAULT(VEC_PF, 0));           /* just not */
    s->gpr[RBP] = NOT_CANONICAL;
    CHECK_EQ(STEP("\x48\x8b\x45\x00"), FAULT(VEC_SS, 0));   /* by RBP: the stack segment's */
    CHECK_EQ(STEP("\x3e\x48\x8b\x45\x00"), FAULT(VEC_SS, 0)); /* an override that counts for nothing */
    s->gpr[RSP] = NOT_CANONICAL + 8;
    CHECK_EQ(STEP("\x50"), FAULT(VEC_SS, 0));               /* push rax */
    s->gpr[RSP] = GUEST_STACK_AT;
    guest_poke64(&g, GUEST_STACK_AT, NOT_CANONICAL);
    CHECK_EQ(STEP("\xc3"), FAULT(VEC_GP, 0));               /* ret: the branch faults, not its target */
    CHECK_EQ(s->gpr[RSP], GUEST_STACK_AT);
    s->gpr[RAX] = NOT_CANONICAL;
    CHECK_EQ(STEP("\xff\xe0"), FAULT(VEC_GP, 0));           /* jmp rax */
    CHECK_EQ(STEP("\xff\xd0"), FAULT(VEC_GP, 0));           /* call rax */
    CHECK_EQ(STEP("\x0f\x01\x38"), NONE);                   /* invlpg [rax] does nothing */
    const struct { u16 limit; u64 base; } __attribute__((packed)) table = { 0xff, NOT_CANONICAL };
    guest_put(&g, GUEST_DATA_AT, &table, sizeof table);
    s->gpr[RBX] = GUEST_DATA_AT;
    CHECK_EQ(STEP("\x0f\x01\x13"), FAULT(VEC_GP, 0));       /* lgdt [rbx] */
    CHECK_EQ(s->gdtr.base, GDT_AT);
    guest_fini(&g);
}

/* Code that runs up to the last canonical address of its half, and over it; a direct jump over it, also in a block that ran before. */
static void test_canonical_code(void)
{
    const gva_t last_page = NOT_CANONICAL - PAGE_SIZE;
    start(0);
    guest_poke64(&g, PML4_AT + 8 * 255, 0x110000 | 7);
    guest_poke64(&g, 0x110000 + 8 * 511, 0x111000 | 7);
    guest_poke64(&g, 0x111000 + 8 * 511, 0x112000 | 7);
    guest_poke64(&g, 0x112000 + 8 * 511, 0x8000 | 7);
    memset(g.ram + 0x8000, 0x90, PAGE_SIZE);
    mmu_flush(&g.cpu.mmu, true);
    s->rip = NOT_CANONICAL - 4;
    CHECK_EQ(run_to_handler(), VEC_GP);
    CHECK_EQ(stack64(1), NOT_CANONICAL);
    guest_fini(&g);
    start(0);
    guest_poke64(&g, PML4_AT + 8 * 255, 0x110000 | 7);
    guest_poke64(&g, 0x110000 + 8 * 511, 0x111000 | 7);
    guest_poke64(&g, 0x111000 + 8 * 511, 0x112000 | 7);
    guest_poke64(&g, 0x112000 + 8 * 511, 0x8000 | 7);
    guest_put(&g, 0x8ff0, "\xeb\x7f", 2); /* jmp +127 */
    s->rip = last_page + 0xff0;
    CHECK_EQ(run_to_handler(), VEC_GP);
    CHECK_EQ(stack64(1), last_page + 0xff0);
    guest_fini(&g);
}

/* --- page tables, 4.5 --- */

static void test_walk_large(void)
{
    static const struct { const char *model; u64 pdpte, pde; int fault; gpa_t gpa; } row[] = {
        { "westmere", 0x87 | 0, 0, NONE, 0x212345 },                                    /* 1 GiB: 4000_0000 to 0 */
        { "core2-64", 0x87 | 0, 0, FAULT(VEC_PF, PF_PRESENT | PF_RSVD), 0 },            /* not on this one */
        { "westmere", 0x87 | 1 << 13, 0, FAULT(VEC_PF, PF_PRESENT | PF_RSVD), 0 },      /* an address within the page */
        { "core2-64", 0x113007, 0x200087, NONE, 0x212345 },                             /* 2 MiB */
        { "core2-64", 0x113007, 0x202087, FAULT(VEC_PF, PF_PRESENT | PF_RSVD), 0 },
        { "core2-64", 0x113007, 0x200087 | BIT(36), FAULT(VEC_PF, PF_PRESENT | PF_RSVD), 0 }, /* beyond MAXPHYADDR */
        { "westmere", 0x113007, 0x200087 | BIT(52), NONE, 0x212345 },                   /* ignored */
        { "core2-64", 0x113007 | BIT(63), 0x200087, NONE, 0x212345 },                   /* NX is no reading */
        { "core2-64", 0x113006, 0x200087, FAULT(VEC_PF, 0), 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        start_model(0, row[i].model);
        guest_poke64(&g, PDPT_AT + 8, row[i].pdpte);
        guest_poke64(&g, 0x113000 + 8, row[i].pde);
        guest_poke64(&g, 0x212345, 0x1122334455667788);
        s->gpr[RBX] = 0x40212345;
        s->gpr[RAX] = 0;
        check_context("row %u", i);
        CHECK_EQ(STEP("\x48\x8b\x03"), row[i].fault);
        CHECK_EQ(s->gpr[RAX], row[i].fault == NONE ? 0x1122334455667788 : 0);
        guest_fini(&g);
    }
}

/* Rights are what all levels give together; the top level has no PS bit. */
static void test_walk_rights(void)
{
    static const struct { gpa_t entry; u64 set, clear; int read, write, fetch; } row[] = { /* the user's */
        { 0, 0, 0, NONE, NONE, NONE },
        { PML4_AT, 0, 2, NONE, FAULT(VEC_PF, 7), NONE },
        { PDPT_AT, 0, 4, FAULT(VEC_PF, 5), FAULT(VEC_PF, 7), FAULT(VEC_PF, 0x15) },
        { PD_AT, BIT(63), 0, NONE, NONE, FAULT(VEC_PF, 0x15) },
        { PML4_AT, BIT(63), 0, NONE, NONE, FAULT(VEC_PF, 0x15) },
        { PML4_AT, 0x80, 0, FAULT(VEC_PF, 0xd), FAULT(VEC_PF, 0xf), FAULT(VEC_PF, 0x1d) },
        { PDPT_AT, 0, 1, FAULT(VEC_PF, 4), FAULT(VEC_PF, 6), FAULT(VEC_PF, 0x14) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct xlat x;
        struct mmu_fault f;
        start(3);
        if (row[i].entry)
            guest_poke64(&g, row[i].entry, (guest_peek64(&g, row[i].entry) | row[i].set) & ~row[i].clear);
        const int expected[] = { row[i].read, row[i].write, row[i].fetch };
        for (int a = ACCESS_READ; a <= ACCESS_EXEC; a++) {
            check_context("row %u, access %d", i, a);
            CHECK_EQ(mmu_walk(&g.cpu.mmu, 0x8000, a, true, &x, &f) ? FAULT(VEC_PF, f.error) : NONE, expected[a]);
        }
        guest_fini(&g);
    }
    start(0);
    s->efer &= ~(u64)EFER_NXE; /* then NX is reserved */
    cpu_state_changed(&g.cpu);
    guest_map64(&g, 0x8000, 0x8000, BIT(63) | 7);
    s->gpr[RBX] = 0x8000;
    CHECK_EQ(STEP("\x8b\x03"), FAULT(VEC_PF, PF_PRESENT | PF_RSVD));
    guest_fini(&g);
}

/* Accessed bits at every level, dirty in the last. */
static void test_walk_bits(void)
{
    static const gpa_t entries[] = { PML4_AT, PDPT_AT, PD_AT, PT_AT + 8 * 8 };
    start(0);
    s->gpr[RBX] = 0x8000;
    for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
        guest_poke64(&g, entries[i], guest_peek64(&g, entries[i]) & ~(u64)0x60);
    mmu_flush(&g.cpu.mmu, true);
    CHECK_EQ(STEP("\x8b\x03"), NONE);
    for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
        CHECK_EQ(guest_peek64(&g, entries[i]) & 0x60, 0x20);
    CHECK_EQ(STEP("\x89\x03"), NONE);
    for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
        CHECK_EQ(guest_peek64(&g, entries[i]) & 0x60, i == 3 ? 0x60 : 0x20);
    guest_fini(&g);
}

/* A guest's 4-level walk over EPT's four levels: (4 + 1) * (4 + 1) - 1 references (SDM vol. 3, 28.3.2). This stage 2 counts its own. */
struct counting_stage2 { struct stage2 stage2; unsigned refs; };
static int identity(struct stage2 *st, gpa_t gpa, enum mmu_access a, bool structure, gpa_t *out, u8 *perms, struct mmu_fault *f)
{
    ((struct counting_stage2 *)st)->refs += 4;
    *out = gpa;
    *perms = PERM_R | PERM_W | PERM_X;
    return 0;
}

static void test_walk_two_dimensions(void)
{
    struct counting_stage2 two = { { .translate = identity }, 0 };
    struct mmu_fault f;
    gpa_t gpa;
    u8 *hva;
    start(0);
    s->gpr[RBX] = 0x8000;
    CHECK_EQ(STEP("\x89\x03"), NONE); /* accessed and dirty bits are set from now on: their writes would translate once more */
    g.cpu.mmu.stage2 = &two.stage2;
    mmu_flush(&g.cpu.mmu, true);
    u64 before = g.cpu.mmu.walk_refs;
    CHECK_EQ(mmu_translate(&g.cpu.mmu, 0x8000, ACCESS_READ, false, &gpa, &hva, &f), 0);
    CHECK_EQ(g.cpu.mmu.walk_refs - before + two.refs, 24);
    g.cpu.mmu.stage2 = NULL;
    guest_fini(&g);
}

/* --- what is gone, and what is new in 64-bit mode --- */

static void test_invalid(void)
{
    static const char *const gone[] = {
        "\x06", "\x07", "\x0e", "\x16", "\x17", "\x1e", "\x1f", "\x27", "\x2f", "\x37", "\x3f", "\x60", "\x61", "\x62\x03", "\x82\xc0\x01",
        "\x9a\x01\x02\x03\x04\x08\x01", "\xc4\x03", "\xc5\x03", "\xce", "\xd4\x0a", "\xd5\x0a", "\xd6", "\xea\x01\x02\x03\x04\x08\x01",
        "\x0f\x01\xf9" /* RDTSCP without its bit */, "\x0f\x22\xcb" /* CR1 */, "\x44\x0f\x23\xc0" /* DR8 */,
    };
    start(0);
    for (unsigned i = 0; i < ARRAY_LEN(gone); i++) {
        char bytes[16] = { 0 };
        strcpy(bytes, gone[i]);
        check_context("bytes %02x %02x %02x", (u8)gone[i][0], (u8)bytes[1], (u8)bytes[2]);
        CHECK_EQ(step_bytes(bytes, sizeof bytes), FAULT(VEC_UD, 0));
    }
    guest_fini(&g);
}

static void test_control_registers(void)
{
    start(0);
    s->gpr[RAX] = 0xb;
    CHECK_EQ(STEP("\x44\x0f\x22\xc0"), NONE); /* mov cr8, rax */
    CHECK_EQ(s->cr8, 0xb);
    CHECK_EQ(STEP("\x44\x0f\x20\xc1"), NONE); /* mov rcx, cr8 */
    CHECK_EQ(s->gpr[RCX], 0xb);
    s->gpr[RAX] = 0x10;
    CHECK_EQ(STEP("\x44\x0f\x22\xc0"), FAULT(VEC_GP, 0));
    s->apic_base = GUEST_DATA_AT | APIC_BASE_ENABLED; /* with an APIC it is the class of its task priority */
    s->gpr[RAX] = 7;
    CHECK_EQ(STEP("\x44\x0f\x22\xc0"), NONE);
    CHECK_EQ(guest_peek32(&g, GUEST_DATA_AT + 0x80), 0x70);
    guest_poke32(&g, GUEST_DATA_AT + 0x80, 0x23);
    CHECK_EQ(STEP("\x44\x0f\x20\xc1"), NONE);
    CHECK_EQ(s->gpr[RCX], 2);
    s->apic_base = 0;
    s->gpr[RAX] = HIGH | 5;
    CHECK_EQ(STEP("\x0f\x22\xd0"), NONE); /* mov cr2, rax */
    CHECK_EQ(s->cr2, HIGH | 5);
    CHECK_EQ(STEP("\x0f\x23\xc0"), NONE); /* mov dr0, rax */
    CHECK_EQ(s->dr[0], HIGH | 5);
    CHECK_EQ(STEP("\x0f\x23\xf8"), FAULT(VEC_GP, 0)); /* mov dr7, rax: upper half */
    s->gpr[RBX] = GUEST_DATA_AT;
    s->gdtr.base = HIGH | 0x1234;
    CHECK_EQ(STEP("\x0f\x01\x03"), NONE); /* sgdt [rbx]: ten bytes */
    CHECK_EQ(guest_peek64(&g, GUEST_DATA_AT + 2), HIGH | 0x1234);
    guest_fini(&g);
}

static void test_ltr_lldt(void)
{
    static const struct { u16 selector; u8 ldt; int fault; } row[] = {
        { S_TSS, 0, NONE }, { S_TSS16, 0, FAULT(VEC_GP, S_TSS16) }, { S_FAR_TSS, 0, FAULT(VEC_GP, S_FAR_TSS) }, { S_CUT_TSS, 0, FAULT(VEC_GP, S_CUT_TSS) },
        { S_LDT, 1, NONE }, { S_TSS, 1, FAULT(VEC_GP, S_TSS) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        start(0);
        s->gpr[RAX] = row[i].selector;
        check_context("row %u", i);
        CHECK_EQ(row[i].ldt ? STEP("\x0f\x00\xd0") : STEP("\x0f\x00\xd8"), row[i].fault);
        if (row[i].fault == NONE && row[i].ldt)
            CHECK_EQ(s->ldtr.base, HIGH | LDT_AT);
        CHECK_EQ(g.ram[GDT_AT + row[i].selector + 5] & 2, row[i].fault == NONE ? 2 : 0); /* busy (an LDT's type has that bit anyway) */
        guest_fini(&g);
    }
    start(0);
    set_descriptor(S_TSS + 8, (u64)9 << 40); /* a type where zeros belong */
    s->gpr[RAX] = S_TSS;
    CHECK_EQ(STEP("\x0f\x00\xd8"), FAULT(VEC_GP, S_TSS));
    guest_fini(&g);
}

/* The I/O bitmap is where it was. */
static void test_io_bitmap(void)
{
    start(3);
    CHECK_EQ(STEP("\xe6\x80"), NONE);
    CHECK_EQ(STEP("\xe6\x88"), FAULT(VEC_GP, 0));
    s->tr.base = HIGH; /* 64 bits of it count: there is nothing */
    CHECK_EQ(STEP("\xe6\x80"), FAULT(VEC_PF, 0));
    guest_fini(&g);
}

/* Compatibility mode: limits are back, addresses wrap at 4 GiB, REX is INC and DEC again. */
static void test_compatibility(void)
{
    start(3);
    set_ring(3, S_CODE32);
    s->gpr[RAX] = 1;
    CHECK_EQ(STEP("\x40"), NONE); /* inc eax */
    CHECK_EQ(s->gpr[RAX], 2);
    guest_poke32(&g, 0x8000, 0x1234);
    s->gpr[RBX] = 0xfffffff0;
    CHECK_EQ(STEP("\x8b\x83\x10\x80\x00\x00"), NONE); /* mov eax, [ebx+8010] */
    CHECK_EQ(s->gpr[RAX], 0x1234);
    s->seg[DS].limit = 0x7fff;
    cpu_state_changed(&g.cpu);
    s->gpr[RBX] = 0x8000;
    CHECK_EQ(STEP("\x8b\x03"), FAULT(VEC_GP, 0));
    s->gpr[RAX] = 0;
    CHECK_EQ(STEP("\x8e\xd8\x8b\x03"), NONE); /* a null DS */
    CHECK_EQ(STEP("\x8b\x03"), FAULT(VEC_GP, 0));
    GUEST_CODE(&g, "\x0f\x0b");
    s->rip = GUEST_CODE_AT;
    CHECK_EQ(run_to_handler(), VEC_UD);
    CHECK_EQ(stack64(1), S_CODE32 | 3);
    CHECK_EQ(state_code_bits(s), 64);
    guest_fini(&g);
}

static void test_null_segments(void)
{
    start(0);
    s->gpr[RAX] = 0;
    CHECK_EQ(STEP("\x8e\xd0"), NONE); /* mov ss, ax */
    CHECK_EQ(state_cpl(s), 0);
    CHECK_EQ(STEP("\x50"), NONE); /* and push */
    CHECK_EQ(STEP("\x8e\xd8"), NONE); /* mov ds, ax */
    s->gpr[RBX] = GUEST_DATA_AT;
    CHECK_EQ(STEP("\x8b\x03"), NONE);
    set_ring(3, S_CODE3);
    s->gpr[RAX] = 3;
    CHECK_EQ(STEP("\x8e\xd0"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

/* The report for people. */
static void test_format(void)
{
    char text[4096];
    start(0);
    s->gpr[R15] = 0x123456789abcdef0;
    s->kernel_gs_base = HIGH | 0x77;
    state_format(s, text, sizeof text);
    CHECK_CONTAINS(text, "R15=123456789abcdef0");
    CHECK_CONTAINS(text, "64-bit mode");
    CHECK_CONTAINS(text, "KERNEL_GS_BASE=ffff800000000077");
    set_ring(3, S_CODE32);
    state_format(s, text, sizeof text);
    CHECK_CONTAINS(text, "32-bit compatibility mode");
    guest_fini(&g);
}

/* --- models --- */

static void test_models(void)
{
    u32 r[4];
    start(0);
    cpu_cpuid(&g.cpu, 0x80000001, 0, r);
    CHECK_EQ(r[3] & (CPUID_LM | CPUID_SYSCALL | CPUID_NX | CPUID_1GB_PAGES), CPUID_LM | CPUID_SYSCALL | CPUID_NX);
    CHECK_EQ(r[2], CPUID_LAHF64);
    cpu_cpuid(&g.cpu, 0x80000008, 0, r);
    CHECK_EQ(r[0], 48 << 8 | 36);
    CHECK(cpu_model_find("qemu64") == g.cpu.model);
    guest_fini(&g);
    start_model(0, "westmere");
    CHECK(cpu_wrmsr(&g.cpu, 0xc0000103, 7));
    CHECK_EQ(STEP("\x0f\x01\xf9"), NONE); /* rdtscp */
    CHECK_EQ(s->gpr[RCX], 7);
    guest_fini(&g);
}

/* Which kernels get a processor with long mode when nobody names one. */
static void test_which_kernels(void)
{
    static const struct { u16 version, xloadflags; u8 elf_class; bool is64; } row[] = {
        { 0x20f, 1, 0, true }, { 0x20f, 0, 0, false }, { 0x20f, 2, 0, false }, { 0x20b, 1, 0, false }, { 0, 0, 2, true }, { 0, 0, 1, false },
    };
    char path[] = "/tmp/emu-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "r+b");
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        u8 head[1024] = { 0 };
        if (row[i].elf_class) {
            memcpy(head, "\x7f" "ELF", 4);
            head[4] = row[i].elf_class;
            head[18] = row[i].elf_class == 2 ? 62 : 3;
        } else {
            memcpy(head + 0x202, "HdrS", 4);
            memcpy(head + 0x206, &row[i].version, 2);
            memcpy(head + 0x236, &row[i].xloadflags, 2);
        }
        rewind(f);
        fwrite(head, 1, sizeof head, f);
        fflush(f);
        check_context("row %u", i);
        CHECK_EQ(kernel_is_64bit(path), row[i].is64);
    }
    fclose(f);
    remove(path);
    CHECK(!kernel_is_64bit("/nonexistent"));
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "enter_and_leave", test_enter_and_leave }, { "may_not_enter", test_may_not_enter }, { "deliver_from_user", test_deliver_from_user },
        { "deliver_same_level", test_deliver_same_level }, { "ist", test_ist }, { "gate_checks", test_gate_checks }, { "iretq", test_iretq },
        { "iret_compatibility", test_iret_compatibility }, { "retf", test_retf }, { "far", test_far }, { "call_gate", test_call_gate },
        { "syscall", test_syscall }, { "sysenter", test_sysenter }, { "bases", test_bases }, { "canonical", test_canonical },
        { "canonical_code", test_canonical_code }, { "walk_large", test_walk_large }, { "walk_rights", test_walk_rights }, { "walk_bits", test_walk_bits },
        { "walk_two_dimensions", test_walk_two_dimensions }, { "invalid", test_invalid }, { "control_registers", test_control_registers },
        { "ltr_lldt", test_ltr_lldt }, { "io_bitmap", test_io_bitmap }, { "compatibility", test_compatibility }, { "null_segments", test_null_segments },
        { "format", test_format }, { "models", test_models }, { "which_kernels", test_which_kernels }, { NULL, NULL },
    };
    return check_main(argc, argv, "long", tests);
}
