/* SPDX-License-Identifier: MIT */
/*
 * Segments, gates, privilege, exceptions, tasks, system registers: one descriptor table with one descriptor of each kind, and
 * tables of what each access to them must answer. Citations are in the code that is tested.
 */
#include <stdio.h>

#include "guestcode.h"

enum { GDT_AT = 0x2000, IDT_AT = 0x2800, TSS_AT = 0x3000, TSS2_AT = 0x3400, TSS16_AT = 0x3800, LDT_AT = 0x3a00, HANDLERS_AT = 0x5000, RING0_STACK = 0x6000 };

/* Selectors of the table */
enum {
    S_CODE0 = 0x08, S_DATA0 = 0x10, S_CODE3 = 0x18, S_DATA3 = 0x20, S_TSS = 0x28, S_LDT = 0x30, S_CONFORM = 0x38, S_RODATA = 0x40,
    S_ABSENT = 0x48, S_CALL = 0x50, S_TASK = 0x58, S_TSS2 = 0x60, S_XONLY = 0x68, S_CODE16 = 0x70, S_CODE1 = 0x78, S_DATA1 = 0x80,
    S_TSS16 = 0x88, S_NPCODE = 0x90, S_CALL_NP = 0x98, S_CALL_TO0 = 0xa0, S_TASK_NP = 0xa8, S_SMALLTSS = 0xb0, S_NPTSS = 0xb8,
    S_NPLDT = 0xc0, S_CALL_NULL = 0xc8, S_CALL_DATA = 0xd0, S_CALL_BEYOND = 0xd8, S_CALL16 = 0xe0, S_SMALLCODE = 0xe8, S_DOWN = 0xf0,
    S_BEYOND = 0x200, GDT_LIMIT = 0x1ff, S_LOCAL = 0x04 /* first of the LDT */
};

static u64 descriptor(u32 base, u32 limit, unsigned access, unsigned flags)
{
    return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 0xf) << 48 | (u64)flags << 52 |
           (u64)(base >> 24) << 56;
}

static u64 gate(u16 selector, u32 offset, unsigned access, unsigned count)
{
    return (offset & 0xffff) | (u64)selector << 16 | (u64)count << 32 | (u64)access << 40 | (u64)(offset >> 16) << 48;
}

static void set_descriptor(struct guest *g, u16 selector, u64 raw) { guest_put(g, GDT_AT + (selector & ~7), &raw, 8); }
static u8 access_byte(struct guest *g, u16 selector) { return g->ram[GDT_AT + (selector & ~7) + 5]; }
static void set_gate(struct guest *g, unsigned vector, u64 raw) { guest_put(g, IDT_AT + vector * 8, &raw, 8); }

static void fill_gdt(struct guest *g)
{
    static const struct { u16 selector; u32 base, limit; u8 access, flags; } segment[] = {
        { S_CODE0, 0, 0xfffff, 0x9a, 0xc }, { S_DATA0, 0, 0xfffff, 0x92, 0xc }, { S_CODE3, 0, 0xfffff, 0xfa, 0xc }, { S_DATA3, 0, 0xfffff, 0xf2, 0xc },
        { S_TSS, TSS_AT, 0x3ff, 0x8b, 0 }, { S_LDT, LDT_AT, 0x1f, 0x82, 0 }, { S_CONFORM, 0, 0xfffff, 0x9e, 0xc }, { S_RODATA, 0, 0xfffff, 0x90, 0xc },
        { S_ABSENT, 0, 0xfffff, 0x12, 0xc }, { S_TSS2, TSS2_AT, 0x67, 0x89, 0 }, { S_XONLY, 0, 0xfffff, 0x98, 0xc }, { S_CODE16, 0, 0xffff, 0x9a, 0 },
        { S_CODE1, 0, 0xfffff, 0xba, 0xc }, { S_DATA1, 0, 0xfffff, 0xb2, 0xc }, { S_TSS16, TSS16_AT, 0x2b, 0x81, 0 }, { S_NPCODE, 0, 0xfffff, 0x1a, 0xc },
        { S_SMALLTSS, TSS2_AT, 0x66, 0x89, 0 }, { S_NPTSS, TSS2_AT, 0x67, 0x09, 0 }, { S_NPLDT, LDT_AT, 0x1f, 0x02, 0 },
        { S_SMALLCODE, 0, 0x1fff, 0x9a, 4 }, { S_DOWN, 0, 0x7fff, 0x96, 4 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(segment); i++)
        set_descriptor(g, segment[i].selector, descriptor(segment[i].base, segment[i].limit, segment[i].access, segment[i].flags));
    set_descriptor(g, S_CALL, gate(S_CODE0, HANDLERS_AT, 0xec, 2));
    set_descriptor(g, S_CALL16, gate(S_CODE0, HANDLERS_AT, 0xe4, 1));
    set_descriptor(g, S_CALL_NP, gate(S_CODE0, HANDLERS_AT, 0x6c, 0));
    set_descriptor(g, S_CALL_TO0, gate(S_CODE0, HANDLERS_AT, 0x8c, 0));
    set_descriptor(g, S_CALL_NULL, gate(0, HANDLERS_AT, 0xec, 0));
    set_descriptor(g, S_CALL_DATA, gate(S_DATA0, HANDLERS_AT, 0xec, 0));
    set_descriptor(g, S_CALL_BEYOND, gate(S_BEYOND, HANDLERS_AT, 0xec, 0));
    set_descriptor(g, S_TASK, gate(S_TSS2, 0, 0xe5, 0));
    set_descriptor(g, S_TASK_NP, gate(S_TSS2, 0, 0x65, 0));
    set_descriptor(g, S_BEYOND, descriptor(0, 0xfffff, 0x9a, 0xc)); /* a good one, but behind the limit */
    u64 local = descriptor(0, 0xfffff, 0x92, 0xc);
    guest_put(g, LDT_AT, &local, 8);
    guest_put(g, LDT_AT + 0x20, &local, 8);
}

/* Each vector has a handler of its own, which halts. */
static void fill_idt(struct guest *g)
{
    for (unsigned v = 0; v < 64; v++) {
        set_gate(g, v, gate(S_CODE0, HANDLERS_AT + v * 16, 0x8e, 0));
        guest_put(g, HANDLERS_AT + v * 16, "\xf4", 1);
    }
}

static void set_segment(struct guest *g, unsigned seg, u16 selector)
{
    u64 raw;
    memcpy(&raw, g->ram + GDT_AT + (selector & ~7), 8);
    segment_from_descriptor(&g->cpu.state.seg[seg], selector, raw);
    g->cpu.state.seg[seg].attr |= SEG_ACCESSED;
}

static void set_ring(struct guest *g, unsigned ring)
{
    static const u16 code[] = { S_CODE0, S_CODE1 | 1, 0, S_CODE3 | 3 }, data[] = { S_DATA0, S_DATA1 | 1, 0, S_DATA3 | 3 };
    g->cpu.state.rflags &= ~(u64)FLAG_VM;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        set_segment(g, seg, seg == CS ? code[ring] : data[ring]);
    cpu_state_changed(&g->cpu);
}

/* A program of the 8086, at linear 0x1000 */
static void set_v86(struct guest *g, unsigned iopl)
{
    struct cpu_state *s = &g->cpu.state;
    s->rflags = FLAG_FIXED | FLAG_VM | iopl << 12;
    for (unsigned seg = 0; seg < SREG_COUNT; seg++)
        s->seg[seg] = (struct segment){ .selector = 0, .base = 0, .limit = 0xffff, .attr = 0xf3 };
    cpu_state_changed(&g->cpu);
}

static void start(struct guest *g, unsigned ring)
{
    struct cpu_state *s = &g->cpu.state;
    guest_init(g, 32);
    fill_gdt(g);
    fill_idt(g);
    s->gdtr = (struct dtable){ GDT_AT, GDT_LIMIT };
    s->idtr = (struct dtable){ IDT_AT, 64 * 8 - 1 };
    segment_from_descriptor(&s->tr, S_TSS, descriptor(TSS_AT, 0x3ff, 0x8b, 0));
    segment_from_descriptor(&s->ldtr, S_LDT, descriptor(LDT_AT, 0x1f, 0x82, 0));
    guest_poke32(g, TSS_AT + 4, RING0_STACK);
    guest_poke32(g, TSS_AT + 8, S_DATA0);
    guest_poke32(g, TSS_AT + 12, RING0_STACK + 0x800);
    guest_poke32(g, TSS_AT + 16, S_DATA1 | 1);
    guest_poke32(g, TSS_AT + 100, 104u << 16); /* I/O bitmap */
    memset(g->ram + TSS_AT + 104, 0xff, 0x200);
    set_ring(g, ring);
}

/* --- one instruction with all exceptions intercepted: vector << 16 | error, or NONE --- */

enum { NONE = -1 };
#define FAULT(vector, error) ((int)((vector) << 16 | (error)))

static int step_bytes(struct guest *g, const void *code, unsigned len)
{
    guest_put(g, GUEST_CODE_AT, code, len);
    g->cpu.state.rip = GUEST_CODE_AT;
    g->cpu.icept_exc = ~0u;
    enum cpu_stop_kind why = cpu_step(&g->cpu);
    g->cpu.icept_exc = 0;
    if (why != STOP_TRAP)
        return NONE;
    CHECK_EQ(g->cpu.state.rip, GUEST_CODE_AT);
    return FAULT(g->cpu.stop.trap.vector, g->cpu.stop.trap.has_error ? g->cpu.stop.trap.error : 0);
}
#define STEP(g, literal) step_bytes((g), (literal), sizeof(literal) - 1)

/* Let a fault be delivered: to which handler did it come? -1: it did not halt in one. */
static int run_to_handler(struct guest *g)
{
    if (guest_run(g) != STOP_HLT || g->cpu.state.rip < HANDLERS_AT)
        return -1;
    return (int)(g->cpu.state.rip - HANDLERS_AT) / 16;
}
static u32 stack32(struct guest *g, unsigned n) { return guest_peek32(g, g->cpu.state.seg[SS].base + (u32)g->cpu.state.gpr[RSP] + 4 * n); }

/* --- segment registers --- */

static void test_load_segment(void)
{
    enum { MOV_DS = 0xd8, MOV_SS = 0xd0 }; /* ModRM of MOV Sreg, AX */
    static const struct { u8 modrm, ring; u16 selector; int fault; } row[] = {
        { MOV_DS, 0, S_DATA0, NONE }, { MOV_DS, 0, 0, NONE }, { MOV_DS, 3, 3, NONE }, { MOV_DS, 0, S_CODE0, NONE }, { MOV_DS, 3, S_CONFORM | 3, NONE },
        { MOV_DS, 0, S_LOCAL, NONE }, { MOV_DS, 0, S_LOCAL + 0x20, FAULT(VEC_GP, S_LOCAL + 0x20) },
        { MOV_DS, 0, S_BEYOND, FAULT(VEC_GP, S_BEYOND) }, { MOV_DS, 0, S_XONLY, FAULT(VEC_GP, S_XONLY) }, { MOV_DS, 0, S_TSS, FAULT(VEC_GP, S_TSS) },
        { MOV_DS, 0, S_ABSENT, FAULT(VEC_NP, S_ABSENT) }, { MOV_DS, 3, S_DATA0 | 3, FAULT(VEC_GP, S_DATA0) }, { MOV_DS, 0, S_DATA0 | 3, FAULT(VEC_GP, S_DATA0) },
        { MOV_DS, 1, S_DATA0, FAULT(VEC_GP, S_DATA0) }, { MOV_DS, 0, S_DATA3, NONE }, { MOV_DS, 0, S_RODATA, NONE },
        { MOV_SS, 0, S_DATA0, NONE }, { MOV_SS, 0, 0, FAULT(VEC_GP, 0) }, { MOV_SS, 0, S_BEYOND, FAULT(VEC_GP, S_BEYOND) },
        { MOV_SS, 0, S_DATA0 | 1, FAULT(VEC_GP, S_DATA0) }, { MOV_SS, 0, S_DATA3, FAULT(VEC_GP, S_DATA3) }, { MOV_SS, 3, S_DATA3 | 3, NONE },
        { MOV_SS, 0, S_RODATA, FAULT(VEC_GP, S_RODATA) }, { MOV_SS, 0, S_CODE0, FAULT(VEC_GP, S_CODE0) }, { MOV_SS, 0, S_ABSENT, FAULT(VEC_SS, S_ABSENT) },
        { MOV_SS, 0, S_TSS, FAULT(VEC_GP, S_TSS) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        u8 code[] = { 0x8e, row[i].modrm };
        start(&g, row[i].ring);
        unsigned seg = row[i].modrm >> 3 & 7;
        u16 before = g.cpu.state.seg[seg].selector;
        g.cpu.state.gpr[RAX] = row[i].selector;
        check_context("row %u: selector %04x", i, row[i].selector);
        CHECK_EQ(step_bytes(&g, code, sizeof code), row[i].fault);
        CHECK_EQ(g.cpu.state.seg[seg].selector, row[i].fault == NONE ? row[i].selector : before);
        if (row[i].fault == NONE && row[i].selector > 7)
            CHECK(access_byte(&g, row[i].selector) & 1); /* accessed */
        if (row[i].fault == NONE && seg == SS)
            CHECK(g.cpu.state.movss_shadow);
        guest_fini(&g);
    }
    check_context(NULL);
}

static void test_null_segment_faults_on_use(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.state.gpr[RAX] = 0;
    CHECK_EQ(STEP(&g, "\x8e\xd8"), NONE);
    CHECK_EQ(STEP(&g, "\xa1\x00\x80\x00\x00"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

static void test_pointer_loads(void)
{
    struct guest g;
    start(&g, 0);
    guest_poke32(&g, 0x8000, 0x12345678);
    guest_poke32(&g, 0x8004, S_DATA3);
    CHECK_EQ(STEP(&g, "\xc4\x1d\x00\x80\x00\x00"), NONE); /* les ebx */
    CHECK_EQ(g.cpu.state.gpr[RBX], 0x12345678);
    CHECK_EQ(g.cpu.state.seg[ES].selector, S_DATA3);
    CHECK_EQ(STEP(&g, "\x0f\xb2\x25\x00\x80\x00\x00"), FAULT(VEC_GP, S_DATA3)); /* lss: the register keeps its value */
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT);
    guest_poke32(&g, 0x8004, S_DATA0);
    CHECK_EQ(STEP(&g, "\x0f\xb2\x25\x00\x80\x00\x00"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RSP], 0x12345678);
    guest_fini(&g);
}

static void test_push_pop_segment(void)
{
    struct guest g;
    start(&g, 0);
    guest_poke32(&g, GUEST_STACK_AT - 4, 0xffffffff);
    CHECK_EQ(STEP(&g, "\x1e"), NONE);
    CHECK_EQ(stack32(&g, 0) & 0xffff, S_DATA0);
    guest_poke32(&g, GUEST_STACK_AT - 4, S_XONLY);
    CHECK_EQ(STEP(&g, "\x07"), FAULT(VEC_GP, S_XONLY));
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT - 4);
    guest_poke32(&g, GUEST_STACK_AT - 4, S_DATA3);
    CHECK_EQ(STEP(&g, "\x07"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT);
    CHECK_EQ(g.cpu.state.seg[ES].selector, S_DATA3);
    guest_fini(&g);
}

/* --- LAR, LSL, VERR, VERW, ARPL --- */

static void test_verify(void)
{
    static const struct { u8 ring; u16 selector; bool lar, lsl, verr, verw; } row[] = {
        { 0, S_DATA0, 1, 1, 1, 1 }, { 0, 0, 0, 0, 0, 0 }, { 0, S_BEYOND, 0, 0, 0, 0 }, { 3, S_DATA0 | 3, 0, 0, 0, 0 }, { 3, S_DATA3 | 3, 1, 1, 1, 1 },
        { 3, S_CONFORM | 3, 1, 1, 1, 0 }, { 0, S_XONLY, 1, 1, 0, 0 }, { 0, S_RODATA, 1, 1, 1, 0 }, { 0, S_TSS, 1, 1, 0, 0 }, { 0, S_LDT, 1, 1, 0, 0 },
        { 0, S_CALL, 1, 0, 0, 0 }, { 0, S_TASK, 1, 0, 0, 0 }, { 0, S_ABSENT, 1, 1, 1, 1 }, { 0, S_DATA0 | 3, 0, 0, 0, 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        static const char *const code[] = { "\x0f\x02\xd8", "\x0f\x03\xd8", "\x0f\x00\xe0", "\x0f\x00\xe8" };
        bool want[] = { row[i].lar, row[i].lsl, row[i].verr, row[i].verw };
        struct guest g;
        start(&g, row[i].ring);
        for (unsigned n = 0; n < 4; n++) {
            check_context("row %u, %s", i, ((const char *[]){ "lar", "lsl", "verr", "verw" })[n]);
            g.cpu.state.gpr[RAX] = row[i].selector;
            CHECK_EQ(step_bytes(&g, code[n], 3), NONE);
            CHECK_EQ(!!(g.cpu.state.rflags & FLAG_ZF), want[n]);
        }
        guest_fini(&g);
    }
    struct guest g;
    start(&g, 0);
    g.cpu.state.gpr[RAX] = S_DATA0;
    STEP(&g, "\x0f\x02\xd8");
    CHECK_EQ(g.cpu.state.gpr[RBX] & 0xfff0ffff, 0x00c09200); /* the limit's nibble is undefined */
    STEP(&g, "\x0f\x03\xd8");
    CHECK_EQ(g.cpu.state.gpr[RBX], 0xffffffff);
    g.cpu.state.gpr[RCX] = 3;
    CHECK_EQ(STEP(&g, "\x63\xc8"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RAX], S_DATA0 | 3);
    CHECK(g.cpu.state.rflags & FLAG_ZF);
    STEP(&g, "\x63\xc8");
    CHECK(!(g.cpu.state.rflags & FLAG_ZF));
    set_v86(&g, 3);
    CHECK_EQ(STEP(&g, "\x0f\x02\xd8"), FAULT(VEC_UD, 0));
    CHECK_EQ(STEP(&g, "\x63\xc8"), FAULT(VEC_UD, 0));
    check_context(NULL);
    guest_fini(&g);
}

/* --- far JMP and CALL --- */

static void test_far_transfer_checks(void)
{
    static const struct { u8 ring; u16 selector; u32 offset; int jmp, call; } row[] = {
        { 0, S_CODE0, 0x5000, NONE, NONE }, { 0, 0, 0, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { 0, S_BEYOND, 0, FAULT(VEC_GP, S_BEYOND), FAULT(VEC_GP, S_BEYOND) }, { 0, S_DATA0, 0, FAULT(VEC_GP, S_DATA0), FAULT(VEC_GP, S_DATA0) },
        { 0, S_CODE3, 0, FAULT(VEC_GP, S_CODE3), FAULT(VEC_GP, S_CODE3) }, { 3, S_CODE0, 0, FAULT(VEC_GP, S_CODE0), FAULT(VEC_GP, S_CODE0) },
        { 0, S_CODE0 | 1, 0, FAULT(VEC_GP, S_CODE0), FAULT(VEC_GP, S_CODE0) }, { 3, S_CONFORM, 0x5000, NONE, NONE },
        { 0, S_NPCODE, 0, FAULT(VEC_NP, S_NPCODE), FAULT(VEC_NP, S_NPCODE) }, { 0, S_SMALLCODE, 0x2000, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { 0, S_SMALLCODE, 0x1fff, NONE, NONE }, { 0, S_LDT, 0, FAULT(VEC_GP, S_LDT), FAULT(VEC_GP, S_LDT) },
        { 0, S_TSS, 0, FAULT(VEC_GP, S_TSS), FAULT(VEC_GP, S_TSS) } /* busy */, { 3, S_TSS2, 0, FAULT(VEC_GP, S_TSS2), FAULT(VEC_GP, S_TSS2) },
        { 0, S_NPTSS, 0, FAULT(VEC_NP, S_NPTSS), FAULT(VEC_NP, S_NPTSS) }, { 0, S_SMALLTSS, 0, FAULT(VEC_TS, S_SMALLTSS), FAULT(VEC_TS, S_SMALLTSS) },
        { 3, S_TASK_NP, 0, FAULT(VEC_NP, S_TASK_NP), FAULT(VEC_NP, S_TASK_NP) },
        { 3, S_CALL_TO0, 0, FAULT(VEC_GP, S_CALL_TO0), FAULT(VEC_GP, S_CALL_TO0) }, { 0, S_CALL_TO0 | 3, 0, FAULT(VEC_GP, S_CALL_TO0), FAULT(VEC_GP, S_CALL_TO0) },
        { 0, S_CALL_TO0, 0, NONE, NONE }, { 3, S_CALL_NP, 0, FAULT(VEC_NP, S_CALL_NP), FAULT(VEC_NP, S_CALL_NP) },
        { 3, S_CALL_NULL, 0, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) }, { 3, S_CALL_DATA, 0, FAULT(VEC_GP, S_DATA0), FAULT(VEC_GP, S_DATA0) },
        { 3, S_CALL_BEYOND, 0, FAULT(VEC_GP, S_BEYOND), FAULT(VEC_GP, S_BEYOND) },
        { 3, S_CALL, 0, FAULT(VEC_GP, S_CODE0), NONE }, /* JMP cannot change the level */
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++)
        for (int call = 0; call < 2; call++) {
            struct guest g;
            u8 code[7] = { call ? 0x9a : 0xea };
            start(&g, row[i].ring);
            memcpy(code + 1, &row[i].offset, 4);
            memcpy(code + 5, &row[i].selector, 2);
            check_context("row %u, %s %04x", i, call ? "call" : "jmp", row[i].selector);
            CHECK_EQ(step_bytes(&g, code, 7), call ? row[i].call : row[i].jmp);
            guest_fini(&g);
        }
    check_context(NULL);
}

/* A 32-bit gate with two parameters, from ring 3 to ring 0 and back. */
static void test_call_gate(void)
{
    struct guest g;
    start(&g, 3);
    guest_poke32(&g, GUEST_STACK_AT, 0x11);
    guest_poke32(&g, GUEST_STACK_AT + 4, 0x22);
    CHECK_EQ(STEP(&g, "\x9a\0\0\0\0\x53\0"), NONE);
    CHECK_EQ(g.cpu.state.seg[CS].selector, S_CODE0);
    CHECK_EQ(g.cpu.state.seg[SS].selector, S_DATA0);
    CHECK_EQ(g.cpu.state.gpr[RSP], RING0_STACK - 24);
    CHECK_EQ(stack32(&g, 0), GUEST_CODE_AT + 7);
    CHECK_EQ(stack32(&g, 1), S_CODE3 | 3);
    CHECK_EQ(stack32(&g, 2), 0x11);
    CHECK_EQ(stack32(&g, 3), 0x22);
    CHECK_EQ(stack32(&g, 4), GUEST_STACK_AT);
    CHECK_EQ(stack32(&g, 5), S_DATA3 | 3);
    set_segment(&g, ES, S_DATA0);
    guest_poke32(&g, RING0_STACK - 24, GUEST_CODE_AT);
    CHECK_EQ(STEP(&g, "\xca\x08\x00"), NONE); /* retf 8 */
    CHECK_EQ(g.cpu.state.seg[CS].selector, S_CODE3 | 3);
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT + 8);
    CHECK_EQ(state_cpl(&g.cpu.state), 3);
    CHECK(g.cpu.state.seg[ES].attr & SEG_UNUSABLE); /* ring 0's segment does not come along */
    CHECK(!(g.cpu.state.seg[DS].attr & SEG_UNUSABLE));
    guest_fini(&g);
}

static void test_call_gate16(void)
{
    struct guest g;
    start(&g, 3);
    guest_poke32(&g, GUEST_STACK_AT, 0xaaaa1234);
    CHECK_EQ(STEP(&g, "\x9a\0\0\0\0\xe3\0"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RSP], RING0_STACK - 10);
    CHECK_EQ(stack32(&g, 0), (S_CODE3 | 3) << 16 | (GUEST_CODE_AT + 7));
    CHECK_EQ(stack32(&g, 1), (u32)GUEST_STACK_AT << 16 | 0x1234);
    guest_fini(&g);
}

/* The inner stack is checked: SDM vol. 3, 6.12.1 */
static void test_inner_stack_checks(void)
{
    static const struct { u16 ss; int fault; } row[] = {
        { S_DATA0, NONE }, { 0, FAULT(VEC_TS, 0) }, { S_BEYOND, FAULT(VEC_TS, S_BEYOND) }, { S_DATA0 | 1, FAULT(VEC_TS, S_DATA0) },
        { S_DATA3, FAULT(VEC_TS, S_DATA3) }, { S_RODATA, FAULT(VEC_TS, S_RODATA) }, { S_CODE0, FAULT(VEC_TS, S_CODE0) },
        { S_ABSENT, FAULT(VEC_SS, S_ABSENT) }, { S_DOWN, FAULT(VEC_SS, S_DOWN) } /* no room: 6000h is below its limit */,
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 3);
        guest_poke32(&g, TSS_AT + 8, row[i].ss);
        check_context("row %u", i);
        CHECK_EQ(STEP(&g, "\x9a\0\0\0\0\x53\0"), row[i].fault);
        CHECK_EQ(g.cpu.state.seg[SS].selector, row[i].fault == NONE ? row[i].ss : S_DATA3 | 3);
        guest_fini(&g);
    }
    struct guest g;
    start(&g, 3);
    g.cpu.state.tr.limit = 8;
    CHECK_EQ(STEP(&g, "\x9a\0\0\0\0\x53\0"), FAULT(VEC_TS, S_TSS));
    check_context(NULL);
    guest_fini(&g);
}

/* --- RETF and IRET --- */

static void test_return_checks(void)
{
    static const struct { u8 ring; u16 cs, ss; int fault; } row[] = {
        { 0, S_CODE0, 0, NONE }, { 0, 0, 0, FAULT(VEC_GP, 0) }, { 0, S_BEYOND, 0, FAULT(VEC_GP, S_BEYOND) }, { 0, S_DATA0, 0, FAULT(VEC_GP, S_DATA0) },
        { 3, S_CODE0, 0, FAULT(VEC_GP, S_CODE0) }, { 0, S_CODE3, 0, FAULT(VEC_GP, S_CODE3) }, { 0, S_NPCODE, 0, FAULT(VEC_NP, S_NPCODE) },
        { 0, S_CONFORM, 0, NONE }, { 0, S_CODE3 | 3, S_DATA3 | 3, NONE }, { 0, S_CODE3 | 3, 0, FAULT(VEC_GP, 0) },
        { 0, S_CODE3 | 3, S_BEYOND, FAULT(VEC_GP, S_BEYOND) }, { 0, S_CODE3 | 3, S_DATA3, FAULT(VEC_GP, S_DATA3) },
        { 0, S_CODE3 | 3, S_DATA0 | 3, FAULT(VEC_GP, S_DATA0) }, { 0, S_CODE3 | 3, S_CODE3 | 3, FAULT(VEC_GP, S_CODE3) },
        { 0, S_CODE1 | 1, S_DATA1 | 1, NONE }, { 0, S_CODE3 | 3, S_ABSENT | 3, FAULT(VEC_GP, S_ABSENT) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++)
        for (int iret = 0; iret < 2; iret++) {
            struct guest g;
            u32 frame[5] = { 0x5000, row[i].cs, 0x9000, row[i].ss }, iret_frame[5] = { 0x5000, row[i].cs, 2, 0x9000, row[i].ss };
            start(&g, row[i].ring);
            guest_put(&g, GUEST_STACK_AT, iret ? iret_frame : frame, sizeof frame);
            check_context("row %u, %s", i, iret ? "iret" : "retf");
            CHECK_EQ(step_bytes(&g, iret ? "\xcf" : "\xcb", 1), row[i].fault);
            if (row[i].fault == NONE && row[i].ss) {
                CHECK_EQ(g.cpu.state.seg[SS].selector, row[i].ss);
                CHECK_EQ(g.cpu.state.gpr[RSP], 0x9000);
            } else {
                CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT + (row[i].fault == NONE ? iret ? 12 : 8 : 0));
            }
            guest_fini(&g);
        }
    check_context(NULL);
}

/* Which flags IRET restores at the same level, by privilege. */
static void test_iret_flags(void)
{
    static const struct { u8 ring, iopl; u32 image, result; } row[] = {
        { 0, 0, 0x3202, 0x3202 }, { 1, 0, 0x3202, 0x0002 }, { 1, 1, 0x3202, 0x1202 }, { 3, 0, 0x3202, 0x0002 }, { 3, 3, 0x0202, 0x3202 },
        { 0, 0, 0x3c0002, 0x3c0002 }, { 3, 3, 0x3c0002, 0x243002 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        static const u16 code[] = { S_CODE0, S_CODE1 | 1, 0, S_CODE3 | 3 };
        struct guest g;
        u32 frame[3] = { 0x5000, code[row[i].ring], row[i].image };
        start(&g, row[i].ring);
        g.cpu.state.rflags = FLAG_FIXED | row[i].iopl << 12;
        guest_put(&g, GUEST_STACK_AT, frame, sizeof frame);
        check_context("row %u", i);
        CHECK_EQ(STEP(&g, "\xcf"), NONE);
        CHECK_EQ(g.cpu.state.rflags, row[i].result);
        guest_fini(&g);
    }
    check_context(NULL);
}

static void test_real_mode_transfers(void)
{
    struct guest g;
    guest_init(&g, 16);
    guest_put(&g, 0x21234, "\x68\x34\x12\x68\x00\x30\xcb", 7); /* push 1234; push 3000?; retf */
    CHECK_EQ(STEP(&g, "\xea\x34\x12\x00\x20"), NONE);
    CHECK_EQ(g.cpu.state.seg[CS].base, 0x20000);
    CHECK_EQ(g.cpu.state.rip, 0x1234);
    for (int i = 0; i < 3; i++)
        cpu_step(&g.cpu);
    CHECK_EQ(g.cpu.state.seg[CS].selector, 0x1234);
    CHECK_EQ(g.cpu.state.rip, 0x3000);
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT);
    guest_fini(&g);
}

/* --- delivery --- */

static void test_same_level(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.state.rflags |= FLAG_IF | FLAG_TF * 0;
    GUEST_CODE(&g, "\x0f\x0b");
    CHECK_EQ(run_to_handler(&g), VEC_UD);
    CHECK_EQ(stack32(&g, 0), GUEST_CODE_AT);
    CHECK_EQ(stack32(&g, 1), S_CODE0);
    CHECK_EQ(stack32(&g, 2), FLAG_FIXED | FLAG_IF | FLAG_RF); /* a fault: RF in the image */
    CHECK(!(g.cpu.state.rflags & (FLAG_IF | FLAG_RF)));
    CHECK_EQ(g.cpu.recent_exc[0].trap.vector, VEC_UD);
    guest_fini(&g);
}

static void test_to_ring0(void)
{
    struct guest g;
    start(&g, 3);
    g.cpu.state.rflags |= FLAG_IF;
    GUEST_CODE(&g, "\xfa"); /* cli, above IOPL */
    CHECK_EQ(run_to_handler(&g), VEC_GP);
    CHECK_EQ(g.cpu.state.gpr[RSP], RING0_STACK - 24);
    CHECK_EQ(stack32(&g, 0), 0); /* error code */
    CHECK_EQ(stack32(&g, 1), GUEST_CODE_AT);
    CHECK_EQ(stack32(&g, 2), S_CODE3 | 3);
    CHECK_EQ(stack32(&g, 4), GUEST_STACK_AT);
    CHECK_EQ(stack32(&g, 5), S_DATA3 | 3);
    CHECK_EQ(state_cpl(&g.cpu.state), 0);
    guest_fini(&g);
}

static void test_trap_gate_and_16bit_gate(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.state.rflags |= FLAG_IF;
    set_gate(&g, 0x30, gate(S_CODE0, HANDLERS_AT + 0x300, 0x87, 0)); /* 16-bit trap gate */
    GUEST_CODE(&g, "\xcd\x30");
    CHECK_EQ(run_to_handler(&g), 0x30);
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT - 6);
    CHECK_EQ(stack32(&g, 0), S_CODE0 << 16 | (GUEST_CODE_AT + 2));
    CHECK(g.cpu.state.rflags & FLAG_IF);
    guest_fini(&g);
}

/* Error codes of what is wrong with the gate: index, IDT bit, EXT. INT n is not external, a fault is. */
static void test_gate_checks(void)
{
    static const struct { u64 access; u16 selector; int soft, extint; } row[] = {
        { 0x8e, S_CODE0, NONE, NONE }, { 0x0e, S_CODE0, FAULT(VEC_NP, 0x182), FAULT(VEC_NP, 0x183) },
        { 0x8c, S_CODE0, FAULT(VEC_GP, 0x182), FAULT(VEC_GP, 0x183) }, { 0x9e, S_CODE0, FAULT(VEC_GP, 0x182), FAULT(VEC_GP, 0x183) },
        { 0x8e, 0, FAULT(VEC_GP, 0), FAULT(VEC_GP, 1) }, { 0x8e, S_BEYOND, FAULT(VEC_GP, S_BEYOND), FAULT(VEC_GP, S_BEYOND | 1) },
        { 0x8e, S_DATA0, FAULT(VEC_GP, S_DATA0), FAULT(VEC_GP, S_DATA0 | 1) }, { 0x8e, S_CODE3, FAULT(VEC_GP, S_CODE3), FAULT(VEC_GP, S_CODE3 | 1) },
        { 0x8e, S_NPCODE, FAULT(VEC_NP, S_NPCODE), FAULT(VEC_NP, S_NPCODE | 1) }, { 0x8e, S_SMALLCODE, FAULT(VEC_GP, 0), FAULT(VEC_GP, 1) },
        { 0x85, S_TSS, FAULT(VEC_GP, S_TSS), FAULT(VEC_GP, S_TSS | 1) }, { 0x85, S_NPTSS, FAULT(VEC_NP, S_NPTSS), FAULT(VEC_NP, S_NPTSS | 1) },
        { 0x85, S_SMALLTSS, FAULT(VEC_TS, S_SMALLTSS), FAULT(VEC_TS, S_SMALLTSS | 1) }, { 0x85, S_LOCAL, FAULT(VEC_GP, S_LOCAL), FAULT(VEC_GP, S_LOCAL | 1) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++)
        for (int ext = 0; ext < 2; ext++) {
            struct guest g;
            start(&g, 0);
            set_gate(&g, 0x30, gate(row[i].selector, HANDLERS_AT + 0x300, row[i].access, 0));
            g.cpu.icept_exc = ~0u;
            struct trap t = { .vector = 0x30, .type = ext ? TRAP_EXTINT : TRAP_SOFT_INT, .insn_len = 2 };
            enum cpu_stop_kind why = cpu_deliver(&g.cpu, &t);
            int got = why == STOP_TRAP ? FAULT(g.cpu.stop.trap.vector, g.cpu.stop.trap.error) : NONE;
            check_context("row %u, %s", i, ext ? "external" : "INT n");
            CHECK_EQ(got, ext ? row[i].extint : row[i].soft);
            if (why == STOP_TRAP) {
                CHECK(g.cpu.stop.vectoring);
                CHECK_EQ(g.cpu.stop.vectored.vector, 0x30);
                CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT);
                CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT);
            }
            guest_fini(&g);
        }
    check_context(NULL);
}

/* Software may use only gates with DPL >= CPL; the processor any. INT beyond the table. */
static void test_soft_privilege(void)
{
    struct guest g;
    start(&g, 3);
    GUEST_CODE(&g, "\xcd\x30");
    CHECK_EQ(run_to_handler(&g), VEC_GP);
    CHECK_EQ(stack32(&g, 0), 0x30 * 8 + 2);
    guest_fini(&g);
    start(&g, 3);
    set_gate(&g, 3, gate(S_CODE0, HANDLERS_AT + 0x30, 0xee, 0));
    GUEST_CODE(&g, "\xcc");
    CHECK_EQ(run_to_handler(&g), VEC_BP);
    CHECK_EQ(stack32(&g, 0), GUEST_CODE_AT + 1);
    guest_fini(&g);
    start(&g, 3);
    GUEST_CODE(&g, "\xf1"); /* INT1 needs no DPL */
    CHECK_EQ(run_to_handler(&g), VEC_DB);
    CHECK_EQ(stack32(&g, 0), GUEST_CODE_AT + 1);
    guest_fini(&g);
    start(&g, 0);
    GUEST_CODE(&g, "\xcd\x40");
    CHECK_EQ(run_to_handler(&g), VEC_GP);
    CHECK_EQ(stack32(&g, 0), 0x40 * 8 + 2);
    guest_fini(&g);
}

static void test_into_bound(void)
{
    struct guest g;
    start(&g, 0);
    CHECK_EQ(STEP(&g, "\xce"), NONE);
    g.cpu.state.rflags |= FLAG_OF;
    GUEST_CODE(&g, "\xce");
    g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(run_to_handler(&g), VEC_OF);
    CHECK_EQ(stack32(&g, 0), GUEST_CODE_AT + 1);
    guest_poke32(&g, 0x8000, -5);
    guest_poke32(&g, 0x8004, 5);
    static const struct { u32 index; int fault; } row[] = { { 0, NONE }, { -5, NONE }, { 5, NONE }, { 6, FAULT(VEC_BR, 0) }, { -6, FAULT(VEC_BR, 0) } };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        g.cpu.state.activity = CPU_ACTIVE;
        g.cpu.state.gpr[RAX] = row[i].index;
        CHECK_EQ(STEP(&g, "\x62\x05\x00\x80\x00\x00"), row[i].fault);
    }
    guest_fini(&g);
}

static void test_page_fault(void)
{
    struct guest g;
    start(&g, 3);
    guest_paging(&g);
    guest_map(&g, 0x8000, 0x8000, 3); /* supervisor only */
    GUEST_CODE(&g, "\xa3\x04\x80\x00\x00");
    CHECK_EQ(run_to_handler(&g), VEC_PF);
    CHECK_EQ(g.cpu.state.cr2, 0x8004);
    CHECK_EQ(stack32(&g, 0), 7);
    CHECK_EQ(stack32(&g, 1), GUEST_CODE_AT);
    guest_fini(&g);
}

/* Which pair makes a double fault: SDM vol. 3, table 6-5. The first is delivered to a gate that raises the second. */
static void test_double_fault_matrix(void)
{
    enum { B = VEC_UD, C = VEC_GP, P = VEC_PF };
    static const struct { u8 first, second, result; } row[] = {
        { B, C, C }, { B, P, P }, { C, C, VEC_DF }, { C, P, P }, { P, C, VEC_DF }, { P, P, VEC_DF }, { VEC_DE, C, VEC_DF }, { VEC_TS, C, VEC_DF },
        { VEC_NP, C, VEC_DF }, { VEC_SS, C, VEC_DF }, { VEC_NM, C, C }, { VEC_AC, C, C }, { VEC_DB, P, P },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 0);
        guest_paging(&g);
        /* the first's gate: its IDT entry stands in an unmapped page, or it names no code. Shared vectors go by another IDT */
        if (row[i].second == P && row[i].first != P) {
            guest_put(&g, 0x9ff8, "", 1);
            g.cpu.state.idtr.base = 0xa000 - row[i].first * 8;
            guest_put(&g, g.cpu.state.idtr.base, g.ram + IDT_AT, 64 * 8);
            guest_map(&g, 0xb000, 0xb000, 7);
            u64 raw = gate(S_CODE0, HANDLERS_AT + row[i].first * 16, 0x8e, 0);
            guest_put(&g, 0xa000, &raw, 8);
            set_descriptor(&g, S_NPCODE, descriptor(0, 0xfffff, 0x9a, 0xc));
            raw = gate(S_BEYOND | 0, 0, 0x8e, 0); /* the descriptor is in an unmapped page of a longer GDT */
            guest_put(&g, 0xa000, &raw, 8);
            guest_put(&g, 0x1ff000, g.ram + GDT_AT, 0x200);
            guest_put(&g, 0x200000 - S_BEYOND, g.ram + GDT_AT, S_BEYOND);
            g.cpu.state.gdtr = (struct dtable){ 0x200000 - S_BEYOND, 0xfff };
            guest_map(&g, 0x200000, 0, 0);
        } else if (row[i].second == P) {
            u64 raw = gate(S_BEYOND, 0, 0x8e, 0);
            set_gate(&g, P, raw);
            guest_put(&g, 0x200000 - S_BEYOND, g.ram + GDT_AT, S_BEYOND);
            g.cpu.state.gdtr = (struct dtable){ 0x200000 - S_BEYOND, 0xfff };
            guest_map(&g, 0x200000, 0, 0);
        } else {
            set_gate(&g, row[i].first, 0);
        }
        check_context("first %u, second %u", row[i].first, row[i].second);
        struct trap t = { .vector = row[i].first, .type = TRAP_FAULT, .has_error = row[i].first >= 10 && row[i].first <= 14 };
        if (row[i].first == row[i].second && row[i].first == C)
            set_gate(&g, C, 0);
        CHECK_EQ(cpu_deliver(&g.cpu, &t), STOP_DEADLINE);
        CHECK_EQ((g.cpu.state.rip - HANDLERS_AT) / 16, row[i].result);
        if (row[i].result == VEC_DF)
            CHECK_EQ(stack32(&g, 0), 0);
        guest_fini(&g);
    }
    check_context(NULL);
}

static void test_triple_fault(void)
{
    struct guest g;
    char report[4096];
    start(&g, 0);
    g.cpu.state.idtr.limit = 0;
    GUEST_CODE(&g, "\x0f\x0b");
    CHECK_EQ(guest_run(&g), STOP_SHUTDOWN);
    CHECK_EQ(g.cpu.state.activity, CPU_SHUT_DOWN);
    CHECK_EQ(g.cpu.recent_exc[0].trap.vector, VEC_GP);
    CHECK_EQ(g.cpu.recent_exc[1].trap.vector, VEC_DF);
    CHECK_EQ(g.cpu.recent_exc[2].trap.vector, VEC_GP);
    cpu_report(&g.cpu, report, sizeof report);
    CHECK_CONTAINS(report, "#DF double fault");
    CHECK_CONTAINS(report, "ud2");
    CHECK_CONTAINS(report, "EIP=00001000");
    CHECK_CONTAINS(report, "shut down");
    char tiny[8];
    cpu_report(&g.cpu, tiny, sizeof tiny);
    CHECK_EQ(strlen(tiny), 7);
    guest_fini(&g);
}

/* An intercepted fault that would be the second of a double fault is seen first; a double fault of its own comes without vectoring. */
static void test_intercepted_delivery(void)
{
    struct guest g;
    start(&g, 0);
    set_gate(&g, VEC_NP, 0);
    struct trap t = { .vector = VEC_NP, .type = TRAP_FAULT, .has_error = true };
    g.cpu.icept_exc = 1 << VEC_GP;
    CHECK_EQ(cpu_deliver(&g.cpu, &t), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.vector, VEC_GP);
    CHECK_EQ(g.cpu.stop.trap.error, VEC_NP * 8 + 3);
    CHECK(g.cpu.stop.vectoring);
    g.cpu.icept_exc = 1 << VEC_DF;
    CHECK_EQ(cpu_deliver(&g.cpu, &t), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.vector, VEC_DF);
    CHECK(!g.cpu.stop.vectoring);
    guest_fini(&g);
}

static void test_costs(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.cost_exc = 100;
    g.cpu.cost_pf = 1000;
    g.cpu.cost_intr = 10000;
    struct trap ud = { .vector = VEC_UD, .type = TRAP_FAULT }, pf = { .vector = VEC_PF, .type = TRAP_FAULT, .has_error = true };
    cpu_deliver(&g.cpu, &ud);
    CHECK_EQ(g.clock.now, 100);
    cpu_deliver(&g.cpu, &pf);
    CHECK_EQ(g.clock.now, 1100);
    g.cpu.state.activity = CPU_HALTED;
    cpu_interrupt(&g.cpu, 0x20);
    CHECK_EQ(g.clock.now, 11100);
    CHECK_EQ(g.cpu.state.activity, CPU_ACTIVE);
    CHECK_EQ(g.ledger.guest_insns, 0);
    guest_fini(&g);
}

static void test_nmi(void)
{
    struct guest g;
    start(&g, 0);
    struct trap t = { .vector = VEC_NMI, .type = TRAP_NMI };
    cpu_deliver(&g.cpu, &t);
    CHECK(g.cpu.state.nmi_blocked);
    CHECK_EQ(STEP(&g, "\xcf"), NONE);
    CHECK(!g.cpu.state.nmi_blocked);
    guest_fini(&g);
}

static void test_real_mode_interrupt(void)
{
    struct guest g;
    guest_init(&g, 16);
    guest_poke32(&g, 0x21 * 4, 0x30000050);
    guest_put(&g, 0x30050, "\xcf", 1);
    g.cpu.state.rflags |= FLAG_IF;
    GUEST_CODE(&g, "\xcd\x21\xf4");
    cpu_step(&g.cpu);
    CHECK_EQ(g.cpu.state.seg[CS].base, 0x30000);
    CHECK_EQ(g.cpu.state.rip, 0x50);
    CHECK(!(g.cpu.state.rflags & FLAG_IF));
    CHECK_EQ(guest_peek32(&g, GUEST_STACK_AT - 6), GUEST_CODE_AT + 2);
    cpu_step(&g.cpu);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 2);
    CHECK(g.cpu.state.rflags & FLAG_IF);
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT);
    g.cpu.state.idtr.limit = 3 * 4;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    g.cpu.state.activity = CPU_ACTIVE;
    GUEST_CODE(&g, "\xcd\x21");
    g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(guest_run(&g), STOP_SHUTDOWN);
    guest_fini(&g);
}

/* --- virtual-8086 mode --- */

static void test_v86_interrupt_and_return(void)
{
    struct guest g;
    start(&g, 0);
    set_v86(&g, 3);
    g.cpu.state.seg[DS].selector = 0x1111;
    g.cpu.state.seg[GS].selector = 0x4444;
    GUEST_CODE(&g, "\x0f\x0b");
    CHECK_EQ(run_to_handler(&g), VEC_UD);
    CHECK_EQ(g.cpu.state.gpr[RSP], RING0_STACK - 36);
    CHECK_EQ(stack32(&g, 0), GUEST_CODE_AT);
    CHECK(stack32(&g, 2) & FLAG_VM);
    CHECK_EQ(stack32(&g, 6), 0x1111);
    CHECK_EQ(stack32(&g, 8), 0x4444);
    CHECK(g.cpu.state.seg[DS].attr & SEG_UNUSABLE);
    CHECK_EQ(g.cpu.state.seg[DS].selector, 0);
    CHECK(!(g.cpu.state.rflags & FLAG_VM));
    g.cpu.state.activity = CPU_ACTIVE;
    CHECK_EQ(STEP(&g, "\xcf"), NONE);
    CHECK(g.cpu.state.rflags & FLAG_VM);
    CHECK_EQ(g.cpu.state.seg[DS].base, 0x11110);
    CHECK_EQ(g.cpu.state.gpr[RSP], GUEST_STACK_AT);
    CHECK_EQ(state_cpl(&g.cpu.state), 3);
    guest_fini(&g);
}

/* From virtual-8086 mode a handler must be in ring 0. */
static void test_v86_handler_level(void)
{
    struct guest g;
    start(&g, 0);
    set_v86(&g, 3);
    set_gate(&g, 0x30, gate(S_CODE1, HANDLERS_AT, 0xee, 0));
    struct trap t = { .vector = 0x30, .type = TRAP_SOFT_INT, .insn_len = 2 };
    g.cpu.icept_exc = ~0u;
    CHECK_EQ(cpu_deliver(&g.cpu, &t), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.error, S_CODE1);
    set_gate(&g, 0x30, gate(S_CONFORM, HANDLERS_AT, 0xee, 0));
    CHECK_EQ(cpu_deliver(&g.cpu, &t), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.error, S_CONFORM);
    guest_fini(&g);
}

/* --- who may: CLI STI PUSHF POPF INT IRET IN OUT HLT, by mode, CPL, IOPL --- */

static void test_privilege_matrix(void)
{
    enum { V86 = 4 };
    static const struct { u8 ring, iopl; int cli, pushf, popf, int_n, in, hlt; } row[] = {
        { 0, 0, NONE, NONE, NONE, NONE, NONE, NONE },
        { 1, 0, FAULT(VEC_GP, 0), NONE, NONE, NONE, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { 1, 1, NONE, NONE, NONE, NONE, NONE, FAULT(VEC_GP, 0) },
        { 3, 0, FAULT(VEC_GP, 0), NONE, NONE, NONE, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { 3, 2, FAULT(VEC_GP, 0), NONE, NONE, NONE, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { 3, 3, NONE, NONE, NONE, NONE, NONE, FAULT(VEC_GP, 0) },
        { V86, 0, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { V86, 2, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { V86, 3, NONE, NONE, NONE, NONE, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        static const char code[][2] = { "\xfa", "\xfb", "\x9c", "\x9d", "\xec", "\xee", "\xf4" };
        int want[] = { row[i].cli, row[i].cli, row[i].pushf, row[i].popf, row[i].in, row[i].in, row[i].hlt };
        struct guest g;
        start(&g, row[i].ring == V86 ? 0 : row[i].ring);
        for (unsigned n = 0; n < ARRAY_LEN(want); n++) {
            g.cpu.state.rflags = FLAG_FIXED | row[i].iopl << 12;
            if (row[i].ring == V86)
                set_v86(&g, row[i].iopl);
            g.cpu.state.gpr[RSP] = GUEST_STACK_AT;
            guest_poke32(&g, GUEST_STACK_AT, FLAG_FIXED | row[i].iopl << 12);
            g.cpu.state.activity = CPU_ACTIVE;
            check_context("row %u, opcode %02x", i, (u8)code[n][0]);
            CHECK_EQ(step_bytes(&g, code[n], 1), want[n]);
        }
        g.cpu.state.activity = CPU_ACTIVE;
        set_gate(&g, 0x30, gate(S_CODE0, HANDLERS_AT + 0x300, 0xee, 0));
        check_context("row %u, int", i);
        CHECK_EQ(STEP(&g, "\xcd\x30"), row[i].int_n);
        guest_fini(&g);
    }
    check_context(NULL);
}

/* POPF changes what it may and is silent about the rest. */
static void test_popf_silence(void)
{
    static const struct { u8 ring, iopl; u32 image, result; } row[] = {
        { 0, 0, 0x3200, 0x3202 }, { 3, 0, 0x3200, 0x0002 }, { 3, 3, 0x0200, 0x3202 }, { 1, 1, 0x3200, 0x1202 }, { 3, 0, 0x254fd5, 0x244fd7 & ~0x200 },
        { 0, 0, 0x3b0000, 0x200002 | 0 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, row[i].ring);
        g.cpu.state.rflags = FLAG_FIXED | row[i].iopl << 12;
        guest_poke32(&g, GUEST_STACK_AT, row[i].image & ~(u32)FLAG_TF);
        check_context("row %u", i);
        CHECK_EQ(STEP(&g, "\x9d"), NONE);
        CHECK_EQ(g.cpu.state.rflags, row[i].result & ~(u32)FLAG_TF);
        guest_fini(&g);
    }
    check_context(NULL);
}

static void test_sti_shadow(void)
{
    struct guest g;
    start(&g, 0);
    CHECK_EQ(STEP(&g, "\xfb"), NONE);
    CHECK(g.cpu.state.sti_shadow && !cpu_interruptible(&g.cpu));
    cpu_step(&g.cpu);
    CHECK_EQ(STEP(&g, "\x90"), NONE);
    CHECK(cpu_interruptible(&g.cpu));
    CHECK_EQ(STEP(&g, "\xfb"), NONE); /* IF was set: no shadow */
    CHECK(cpu_interruptible(&g.cpu));
    guest_fini(&g);
}

/* CR4.VME: in virtual-8086 mode with IOPL < 3, VIF stands for IF. */
static void test_vme(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.state.cr4 |= CR4_VME;
    set_v86(&g, 0);
    CHECK_EQ(STEP(&g, "\xfb"), NONE);
    CHECK_EQ(g.cpu.state.rflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    CHECK_EQ(STEP(&g, "\x9c"), NONE);
    CHECK_EQ(guest_peek32(&g, GUEST_STACK_AT - 2) & 0xffff, FLAG_FIXED | FLAG_IF | FLAG_IOPL);
    CHECK_EQ(STEP(&g, "\xfa"), NONE);
    CHECK(!(g.cpu.state.rflags & FLAG_VIF));
    CHECK_EQ(STEP(&g, "\x9d"), NONE);
    CHECK(g.cpu.state.rflags & FLAG_VIF);
    CHECK_EQ(STEP(&g, "\x66\x9c"), FAULT(VEC_GP, 0));
    g.cpu.state.rflags = (g.cpu.state.rflags | FLAG_VIP) & ~(u64)FLAG_VIF;
    CHECK_EQ(STEP(&g, "\xfb"), FAULT(VEC_GP, 0));
    /* the redirection bitmap: below the I/O bitmap at 104 there are 32 bytes, within the TSS */
    g.cpu.state.rflags &= ~(u64)FLAG_VIP;
    guest_poke32(&g, TSS_AT + 100, 136u << 16);
    memset(g.ram + TSS_AT + 104, 0xff, 32);
    CHECK_EQ(STEP(&g, "\xcd\x21"), FAULT(VEC_GP, 0));
    g.ram[TSS_AT + 104 + 0x21 / 8] &= ~(1 << (0x21 & 7));
    guest_poke32(&g, 0x21 * 4, 0x01000010);
    GUEST_CODE(&g, "\xcd\x21");
    g.cpu.state.rip = GUEST_CODE_AT;
    g.cpu.state.gpr[RSP] = GUEST_STACK_AT;
    CHECK_EQ(cpu_step(&g.cpu), STOP_DEADLINE);
    CHECK_EQ(g.cpu.state.seg[CS].selector, 0x100);
    CHECK_EQ(g.cpu.state.rip, 0x10);
    CHECK(g.cpu.state.rflags & FLAG_VM);
    guest_fini(&g);
}

/* CR4.PVI: the same for ring 3 of protected mode, but for PUSHF and POPF (SDM vol. 3, 20.4). */
static void test_pvi(void)
{
    struct guest g;
    start(&g, 3);
    g.cpu.state.cr4 |= CR4_PVI;
    CHECK_EQ(STEP(&g, "\xfb"), NONE);
    CHECK_EQ(g.cpu.state.rflags & (FLAG_VIF | FLAG_IF), FLAG_VIF);
    CHECK_EQ(STEP(&g, "\xfa"), NONE);
    CHECK(!(g.cpu.state.rflags & FLAG_VIF));
    g.cpu.state.rflags |= FLAG_VIP;
    CHECK_EQ(STEP(&g, "\xfb"), FAULT(VEC_GP, 0));
    set_ring(&g, 1);
    CHECK_EQ(STEP(&g, "\xfa"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

/* --- ports --- */

static void test_io_bitmap(void)
{
    static const struct { u16 port; u8 size, clear_from, clear_to; bool ok; } row[] = {
        { 0x60, 1, 0x60, 0x60, true }, { 0x61, 1, 0x60, 0x60, false }, { 0x60, 2, 0x60, 0x60, false }, { 0x60, 2, 0x60, 0x61, true },
        { 0x67, 2, 0x67, 0x68, true } /* spans two bytes */, { 0x64, 4, 0x64, 0x67, true }, { 0x64, 4, 0x64, 0x66, false },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 3);
        for (unsigned p = row[i].clear_from; p <= row[i].clear_to; p++)
            g.ram[TSS_AT + 104 + p / 8] &= ~(1 << (p & 7));
        g.cpu.state.gpr[RDX] = row[i].port;
        check_context("row %u", i);
        const char *code = row[i].size == 1 ? "\xee" : row[i].size == 2 ? "\x66\xef" : "\xef";
        CHECK_EQ(step_bytes(&g, code, row[i].size == 2 ? 2 : 1), row[i].ok ? NONE : FAULT(VEC_GP, 0));
        CHECK_EQ(g.outs, row[i].ok);
        guest_fini(&g);
    }
    struct guest g;
    start(&g, 3);
    memset(g.ram + TSS_AT + 104, 0, 0x200);
    g.cpu.state.gpr[RDX] = 0x60;
    g.cpu.state.tr.limit = 104 + 0x60 / 8; /* the byte after the last one must be inside too */
    check_context("limit");
    CHECK_EQ(STEP(&g, "\xee"), FAULT(VEC_GP, 0));
    g.cpu.state.tr.limit++;
    CHECK_EQ(STEP(&g, "\xee"), NONE);
    check_context(NULL);
    guest_fini(&g);
}

static void test_in_out(void)
{
    struct guest g;
    start(&g, 0);
    g.in_value = 0x12345678;
    g.cpu.state.gpr[RAX] = 0xaabbccdd;
    CHECK_EQ(STEP(&g, "\xe4\x60"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RAX], 0xaabbcc78);
    CHECK_EQ(STEP(&g, "\x66\xe5\x60"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RAX], 0xaabb5678);
    CHECK_EQ(STEP(&g, "\xe7\x80"), NONE);
    CHECK_EQ(g.out_value, 0xaabb5678);
    CHECK_EQ(g.out_port, 0x80);
    guest_fini(&g);
}

/* --- tasks --- */

/* A second task: ring `ring`, at 0x5000, with its own stack. */
static void fill_tss2(struct guest *g, unsigned ring)
{
    static const u16 code[] = { S_CODE0, S_CODE1 | 1, 0, S_CODE3 | 3 }, data[] = { S_DATA0, S_DATA1 | 1, 0, S_DATA3 | 3 };
    memset(g->ram + TSS2_AT, 0, 104);
    guest_poke32(g, TSS2_AT + 32, HANDLERS_AT);
    guest_poke32(g, TSS2_AT + 36, FLAG_FIXED);
    guest_poke32(g, TSS2_AT + 40, 0xeeeeeeee); /* EAX */
    guest_poke32(g, TSS2_AT + 56, 0x9000);     /* ESP */
    for (unsigned seg = 0; seg < 6; seg++)
        guest_poke32(g, TSS2_AT + 72 + 4 * seg, seg == 1 ? code[ring] : data[ring]);
    guest_poke32(g, TSS2_AT + 96, S_LDT);
}

static void test_task_call_and_return(void)
{
    struct guest g;
    start(&g, 0);
    fill_tss2(&g, 3);
    g.cpu.state.gpr[RAX] = 0x1234;
    g.cpu.state.dr[7] |= 0x155;
    CHECK_EQ(STEP(&g, "\x9a\0\0\0\0\x60\0"), NONE);
    CHECK_EQ(g.cpu.state.tr.selector, S_TSS2);
    CHECK_EQ(g.cpu.state.rip, HANDLERS_AT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 0xeeeeeeee);
    CHECK_EQ(g.cpu.state.gpr[RSP], 0x9000);
    CHECK_EQ(state_cpl(&g.cpu.state), 3);
    CHECK(g.cpu.state.rflags & FLAG_NT);
    CHECK(g.cpu.state.cr0 & CR0_TS);
    CHECK_EQ(g.cpu.state.dr[7] & 0x155, 0);
    CHECK_EQ(guest_peek32(&g, TSS2_AT) & 0xffff, S_TSS);
    CHECK_EQ(guest_peek32(&g, TSS_AT + 32), GUEST_CODE_AT + 7);
    CHECK_EQ(guest_peek32(&g, TSS_AT + 40), 0x1234);
    CHECK_EQ(access_byte(&g, S_TSS) & 2, 2);
    CHECK_EQ(access_byte(&g, S_TSS2) & 2, 2);
    guest_put(&g, HANDLERS_AT, "\xcf", 1);
    g.cpu.icept_exc = ~0u;
    CHECK_EQ(cpu_step(&g.cpu), STOP_DEADLINE); /* iret with NT */
    CHECK_EQ(g.cpu.state.tr.selector, S_TSS);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 7);
    CHECK_EQ(g.cpu.state.gpr[RAX], 0x1234);
    CHECK_EQ(state_cpl(&g.cpu.state), 0);
    CHECK_EQ(access_byte(&g, S_TSS2) & 2, 0);
    CHECK(!(guest_peek32(&g, TSS2_AT + 36) & FLAG_NT));
    guest_fini(&g);
}

static void test_task_jump(void)
{
    struct guest g;
    start(&g, 0);
    fill_tss2(&g, 0);
    CHECK_EQ(STEP(&g, "\xea\0\0\0\0\x58\0"), NONE); /* through the task gate */
    CHECK_EQ(g.cpu.state.tr.selector, S_TSS2);
    CHECK_EQ(access_byte(&g, S_TSS) & 2, 0);
    CHECK(!(g.cpu.state.rflags & FLAG_NT));
    guest_fini(&g);
}

/* What is wrong in the new TSS is the new task's fault: #TS, with the new task's registers loaded. */
static void test_task_segment_checks(void)
{
    static const struct { u8 at; u16 selector; int fault; } row[] = {
        { 96, 0, NONE }, { 96, S_DATA0, FAULT(VEC_TS, S_DATA0) }, { 96, S_BEYOND, FAULT(VEC_TS, S_BEYOND) }, { 96, S_NPLDT, FAULT(VEC_TS, S_NPLDT) },
        { 96, S_LOCAL, FAULT(VEC_TS, S_LOCAL) }, { 76, 0, FAULT(VEC_TS, 0) }, { 76, S_DATA0, FAULT(VEC_TS, S_DATA0) }, { 76, S_NPCODE, FAULT(VEC_NP, S_NPCODE) },
        { 76, S_CODE3, FAULT(VEC_TS, S_CODE3) }, { 80, 0, FAULT(VEC_TS, 0) }, { 80, S_DATA3, FAULT(VEC_TS, S_DATA3) },
        { 80, S_RODATA, FAULT(VEC_TS, S_RODATA) }, { 80, S_ABSENT, FAULT(VEC_SS, S_ABSENT) }, { 84, S_BEYOND, FAULT(VEC_TS, S_BEYOND) },
        { 84, S_XONLY, FAULT(VEC_TS, S_XONLY) }, { 84, S_ABSENT, FAULT(VEC_NP, S_ABSENT) }, { 92, S_TSS, FAULT(VEC_TS, S_TSS) }, { 92, 0, NONE },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 0);
        fill_tss2(&g, 0);
        guest_poke32(&g, TSS2_AT + row[i].at, row[i].selector);
        guest_put(&g, GUEST_CODE_AT, "\xea\0\0\0\0\x60\0", 7);
        g.cpu.icept_exc = ~0u;
        check_context("row %u", i);
        enum cpu_stop_kind why = cpu_step(&g.cpu);
        CHECK_EQ(why == STOP_TRAP ? FAULT(g.cpu.stop.trap.vector, g.cpu.stop.trap.error) : NONE, row[i].fault);
        CHECK_EQ(g.cpu.state.tr.selector, S_TSS2);
        CHECK_EQ(g.cpu.state.rip, HANDLERS_AT);
        guest_fini(&g);
    }
    check_context(NULL);
}

/* A double fault by a task gate: the state that failed is all in the old TSS. */
static void test_task_gate_with_error(void)
{
    struct guest g;
    start(&g, 0);
    fill_tss2(&g, 0);
    guest_poke32(&g, TSS2_AT + 32, HANDLERS_AT + VEC_DF * 16);
    set_gate(&g, VEC_DF, gate(S_TSS2, 0, 0x85, 0));
    set_gate(&g, VEC_UD, 0);
    set_gate(&g, VEC_GP, 0);
    GUEST_CODE(&g, "\x0f\x0b");
    CHECK_EQ(run_to_handler(&g), VEC_DF);
    CHECK_EQ(g.cpu.state.tr.selector, S_TSS2);
    CHECK_EQ(g.cpu.state.gpr[RSP], 0x9000 - 4);
    CHECK_EQ(stack32(&g, 0), 0);
    CHECK_EQ(guest_peek32(&g, TSS_AT + 32), GUEST_CODE_AT);
    CHECK_EQ(guest_peek32(&g, TSS2_AT) & 0xffff, S_TSS);
    guest_fini(&g);
}

static void test_task_debug_trap(void)
{
    struct guest g;
    start(&g, 0);
    fill_tss2(&g, 0);
    guest_poke32(&g, TSS2_AT + 100, 1);
    guest_put(&g, GUEST_CODE_AT, "\xea\0\0\0\0\x60\0", 7);
    CHECK_EQ(run_to_handler(&g), VEC_DB);
    CHECK(g.cpu.state.dr[6] & BIT(15));
    CHECK_EQ(stack32(&g, 0), HANDLERS_AT);
    guest_fini(&g);
}

static void test_task16(void)
{
    struct guest g;
    start(&g, 0);
    u16 tss[22] = { 0, 0, 0, 0, 0, 0, 0, HANDLERS_AT, FLAG_FIXED, 0xaaaa, 1, 2, 3, 0x9000, 5, 6, 7, S_DATA0, S_CODE0, S_DATA0, S_DATA0, 0 };
    guest_put(&g, TSS16_AT, tss, sizeof tss);
    CHECK_EQ(STEP(&g, "\xea\0\0\0\0\x88\0"), NONE);
    CHECK_EQ(g.cpu.state.rip, HANDLERS_AT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 0xffffaaaa);
    CHECK_EQ(g.cpu.state.seg[SS].selector, S_DATA0);
    CHECK(g.cpu.state.seg[FS].attr & SEG_UNUSABLE);
    guest_fini(&g);
}

static void test_task_to_v86(void)
{
    struct guest g;
    start(&g, 0);
    fill_tss2(&g, 0);
    guest_poke32(&g, TSS2_AT + 36, FLAG_FIXED | FLAG_VM);
    for (unsigned seg = 0; seg < 6; seg++)
        guest_poke32(&g, TSS2_AT + 72 + 4 * seg, 0x100 * (seg + 1));
    CHECK_EQ(STEP(&g, "\xea\0\0\0\0\x60\0"), NONE);
    CHECK_EQ(g.cpu.state.seg[CS].base, 0x2000);
    CHECK_EQ(g.cpu.state.seg[GS].base, 0x6000);
    CHECK_EQ(state_cpl(&g.cpu.state), 3);
    guest_fini(&g);
}

static void test_iret_task_checks(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.state.rflags |= FLAG_NT;
    guest_poke32(&g, TSS_AT, S_TSS2); /* not busy */
    CHECK_EQ(STEP(&g, "\xcf"), FAULT(VEC_TS, S_TSS2));
    guest_poke32(&g, TSS_AT, S_LOCAL);
    CHECK_EQ(STEP(&g, "\xcf"), FAULT(VEC_TS, S_LOCAL));
    guest_poke32(&g, TSS_AT, S_DATA0);
    CHECK_EQ(STEP(&g, "\xcf"), FAULT(VEC_TS, S_DATA0));
    guest_fini(&g);
}

/* --- LLDT, LTR, tables --- */

static void test_lldt_ltr(void)
{
    static const struct { u8 ring; u16 selector; int lldt, ltr; } row[] = {
        { 0, S_LDT, NONE, FAULT(VEC_GP, S_LDT) }, { 0, 0, NONE, FAULT(VEC_GP, 0) }, { 3, S_LDT, FAULT(VEC_GP, 0), FAULT(VEC_GP, 0) },
        { 0, S_BEYOND, FAULT(VEC_GP, S_BEYOND), FAULT(VEC_GP, S_BEYOND) }, { 0, S_LOCAL, FAULT(VEC_GP, S_LOCAL), FAULT(VEC_GP, S_LOCAL) },
        { 0, S_NPLDT, FAULT(VEC_NP, S_NPLDT), FAULT(VEC_GP, S_NPLDT) }, { 0, S_TSS2, FAULT(VEC_GP, S_TSS2), NONE },
        { 0, S_TSS, FAULT(VEC_GP, S_TSS), FAULT(VEC_GP, S_TSS) }, { 0, S_NPTSS, FAULT(VEC_GP, S_NPTSS), FAULT(VEC_NP, S_NPTSS) },
        { 0, S_DATA0, FAULT(VEC_GP, S_DATA0), FAULT(VEC_GP, S_DATA0) },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, row[i].ring);
        g.cpu.state.gpr[RAX] = row[i].selector;
        check_context("row %u", i);
        CHECK_EQ(STEP(&g, "\x0f\x00\xd8"), row[i].ltr);
        if (row[i].ltr == NONE)
            CHECK(access_byte(&g, row[i].selector) & 2);
        CHECK_EQ(STEP(&g, "\x0f\x00\xd0"), row[i].lldt);
        guest_fini(&g);
    }
    check_context(NULL);
}

static void test_tables(void)
{
    struct guest g;
    start(&g, 0);
    guest_poke32(&g, 0x8000, 0x56781234);
    guest_poke32(&g, 0x8004, 0x0000ff9a);
    CHECK_EQ(STEP(&g, "\x0f\x01\x1d\x00\x80\x00\x00"), NONE); /* lidt */
    CHECK_EQ(g.cpu.state.idtr.limit, 0x1234);
    CHECK_EQ(g.cpu.state.idtr.base, 0xff9a5678);
    CHECK_EQ(STEP(&g, "\x66\x0f\x01\x1d\x00\x80\x00\x00"), NONE);
    CHECK_EQ(g.cpu.state.idtr.base, 0x009a5678);
    CHECK_EQ(STEP(&g, "\x0f\x01\x05\x10\x80\x00\x00"), NONE); /* sgdt */
    CHECK_EQ(guest_peek32(&g, 0x8010), (u32)GDT_AT << 16 | GDT_LIMIT);
    set_ring(&g, 3);
    CHECK_EQ(STEP(&g, "\x0f\x01\x05\x10\x80\x00\x00"), NONE); /* in any ring */
    CHECK_EQ(STEP(&g, "\x0f\x01\x1d\x00\x80\x00\x00"), FAULT(VEC_GP, 0));
    CHECK_EQ(STEP(&g, "\x0f\x00\xc8"), NONE); /* str eax */
    CHECK_EQ(g.cpu.state.gpr[RAX], S_TSS);
    guest_fini(&g);
}

/* --- control and debug registers --- */

static void test_control_registers(void)
{
    static const struct { u8 cr; u32 value; bool ok; } row[] = {
        { 0, CR0_PE, true }, { 0, (u32)CR0_PG, false }, { 0, CR0_PE | CR0_NW, false }, { 0, CR0_PE | CR0_NW | CR0_CD, true }, { 0, CR0_PE | 0x0ff0ffc0, true },
        { 4, CR4_PSE | CR4_PGE | CR4_OSFXSR, true }, { 4, 1 << 11, false }, { 4, CR4_VMXE, false }, { 4, 0x80000000, false }, { 3, 0xfffff018, true },
        { 2, 0x12345678, true },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 0);
        u8 code[] = { 0x0f, 0x22, 0xc0 | row[i].cr << 3 };
        g.cpu.state.gpr[RAX] = row[i].value;
        check_context("row %u", i);
        CHECK_EQ(step_bytes(&g, code, 3), row[i].ok ? NONE : FAULT(VEC_GP, 0));
        guest_fini(&g);
    }
    struct guest g;
    check_context(NULL);
    start(&g, 0);
    g.cpu.state.gpr[RAX] = CR0_PE | 0x1f00ffc0;
    STEP(&g, "\x0f\x22\xc0");
    CHECK_EQ(g.cpu.state.cr0, CR0_PE | CR0_ET); /* reserved bits are dropped, ET is fixed */
    CHECK_EQ(STEP(&g, "\x0f\x20\xc3"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RBX], CR0_PE | CR0_ET);
    g.cpu.state.gpr[RAX] = CR0_TS | CR0_MP;
    CHECK_EQ(STEP(&g, "\x0f\x01\xf0"), NONE); /* lmsw cannot clear PE */
    CHECK_EQ(g.cpu.state.cr0, CR0_PE | CR0_ET | CR0_TS | CR0_MP);
    CHECK_EQ(STEP(&g, "\x0f\x06"), NONE);
    CHECK(!(g.cpu.state.cr0 & CR0_TS));
    set_ring(&g, 3);
    CHECK_EQ(STEP(&g, "\x0f\x01\xe0"), NONE); /* smsw */
    CHECK_EQ(g.cpu.state.gpr[RAX], CR0_PE | CR0_ET | CR0_MP);
    CHECK_EQ(STEP(&g, "\x0f\x20\xc3"), FAULT(VEC_GP, 0));
    CHECK_EQ(STEP(&g, "\x0f\x06"), FAULT(VEC_GP, 0));
    CHECK_EQ(STEP(&g, "\x0f\x01\xf0"), FAULT(VEC_GP, 0));
    CHECK_EQ(STEP(&g, "\x0f\x01\x38"), FAULT(VEC_GP, 0)); /* invlpg */
    guest_fini(&g);
}

/* PAE pointers are loaded, and checked, with CR3 and with the bits that matter. */
static void test_pae_pointers(void)
{
    struct guest g;
    start(&g, 0);
    guest_poke32(&g, 0x9000, 0xa001);
    guest_poke32(&g, 0x9008, 0xb001 | 0x1e6); /* reserved bits, and present */
    g.cpu.state.gpr[RAX] = CR4_PAE;
    CHECK_EQ(STEP(&g, "\x0f\x22\xe0"), NONE);
    g.cpu.state.gpr[RAX] = 0x9000;
    CHECK_EQ(STEP(&g, "\x0f\x22\xd8"), NONE); /* paging is off: not looked at */
    g.cpu.state.gpr[RAX] = CR0_PE | (u32)CR0_PG;
    CHECK_EQ(STEP(&g, "\x0f\x22\xc0"), FAULT(VEC_GP, 0));
    CHECK(!(g.cpu.state.cr0 & CR0_PG));
    guest_poke32(&g, 0x9008, 0);
    for (u32 i = 0; i < 4; i++)
        guest_poke32(&g, 0xa000 + 8 * i, i << 21 | 0x83);
    CHECK_EQ(STEP(&g, "\x0f\x22\xc0"), NONE);
    CHECK_EQ(g.cpu.state.pdpte[0], 0xa001);
    CHECK_EQ(STEP(&g, "\x90"), NONE);
    guest_fini(&g);
}

static void test_debug_registers(void)
{
    struct guest g;
    start(&g, 0);
    g.cpu.state.gpr[RAX] = 0xffffffff;
    CHECK_EQ(STEP(&g, "\x0f\x23\xf0"), NONE);
    CHECK_EQ(g.cpu.state.dr[6], 0xffffefff);
    CHECK_EQ(STEP(&g, "\x0f\x21\xe3"), NONE); /* DR4 is DR6 */
    CHECK_EQ(g.cpu.state.gpr[RBX], 0xffffefff);
    g.cpu.state.cr4 |= CR4_DE;
    CHECK_EQ(STEP(&g, "\x0f\x21\xe3"), FAULT(VEC_UD, 0));
    g.cpu.state.dr[7] = 0x400;
    g.cpu.state.gpr[RAX] = 0x2000 | 0xd800;
    CHECK_EQ(STEP(&g, "\x0f\x23\xf8"), NONE);
    CHECK_EQ(g.cpu.state.dr[7], 0x2400);
    g.cpu.state.dr[6] = 0xffff0ff0;
    CHECK_EQ(STEP(&g, "\x0f\x21\xc0"), FAULT(VEC_DB, 0)); /* general detect */
    CHECK_EQ(g.cpu.stop.trap.dr6, 0x2000);
    CHECK_EQ(g.cpu.state.dr[6], 0xffff0ff0); /* not delivered, not latched */
    GUEST_CODE(&g, "\x0f\x21\xc0");
    g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(run_to_handler(&g), VEC_DB);
    CHECK(g.cpu.state.dr[6] & 0x2000);
    CHECK(!(g.cpu.state.dr[7] & 0x2000)); /* the handler may use them */
    g.cpu.state.activity = CPU_ACTIVE;
    set_ring(&g, 3);
    CHECK_EQ(STEP(&g, "\x0f\x21\xc0"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

/* --- MSRs, TSC, CPUID --- */

static void test_msrs(void)
{
    static const struct { u32 msr; u64 value; bool ok; } row[] = {
        { 0x174, 0x1234, true }, { 0x176, 0xc0001000, true }, { 0x277, 0x0007040600070406, true }, { 0x277, 2, false }, { 0x277, 0x0800, false },
        { 0xfe, 0, false }, { 0x200, 0x80000006, true }, { 0x200, 2, false }, { 0x201, 0xf80000800, true }, { 0x201, BIT(40), false }, { 0x2ff, 0xc06, true },
        { 0x2ff, 7, false }, { 0x26f, 0x0606060606060606, true }, { 0x26f, 2, false }, { 0xc0000080, EFER_NXE, true }, { 0xc0000080, EFER_LME, false },
        { 0xc0000080, 2, false }, { 0x8b, 0, true }, { 0x12345678, 0, false }, { 0xc0000100, 0, false }, { 0x10, 1000, true },
    };
    struct guest g;
    start(&g, 0);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        g.cpu.state.gpr[RCX] = row[i].msr;
        g.cpu.state.gpr[RAX] = (u32)row[i].value;
        g.cpu.state.gpr[RDX] = row[i].value >> 32;
        check_context("row %u, msr %x", i, row[i].msr);
        CHECK_EQ(STEP(&g, "\x0f\x30"), row[i].ok ? NONE : FAULT(VEC_GP, 0));
        if (!row[i].ok || row[i].msr == 0x10)
            continue;
        CHECK_EQ(STEP(&g, "\x0f\x32"), NONE);
        CHECK_EQ(g.cpu.state.gpr[RDX] << 32 | g.cpu.state.gpr[RAX], row[i].value);
    }
    check_context(NULL);
    u64 before = cpu_read_tsc(&g.cpu);
    CHECK(before >= 1000 && before < 1010);
    set_ring(&g, 3);
    CHECK_EQ(STEP(&g, "\x0f\x32"), FAULT(VEC_GP, 0));
    CHECK_EQ(STEP(&g, "\x0f\x30"), FAULT(VEC_GP, 0));
    CHECK_EQ(STEP(&g, "\x0f\x31"), NONE);
    CHECK(g.cpu.state.gpr[RAX] >= before);
    CHECK_EQ(STEP(&g, "\x0f\x33"), FAULT(VEC_GP, 0));
    g.cpu.state.cr4 |= CR4_TSD;
    CHECK_EQ(STEP(&g, "\x0f\x31"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

static void test_cpuid(void)
{
    struct guest g;
    u32 r[4];
    start(&g, 3);
    g.cpu.state.gpr[RAX] = 0;
    CHECK_EQ(STEP(&g, "\x0f\xa2"), NONE);
    CHECK_EQ(g.cpu.state.gpr[RBX], 0x756e6547); /* Genu */
    CHECK_EQ(g.cpu.state.gpr[RDX], 0x49656e69);
    CHECK_EQ(g.cpu.state.gpr[RCX], 0x6c65746e);
    cpu_cpuid(&g.cpu, 1, 0, r);
    CHECK_EQ(r[0], 0x6f6);
    CHECK(!(r[3] & CPUID_APIC));
    g.cpu.state.apic_base = 0xfee00900;
    cpu_cpuid(&g.cpu, 1, 0, r);
    CHECK(r[3] & CPUID_APIC);
    u32 last[4];
    cpu_cpuid(&g.cpu, 0x40000000, 0, r); /* beyond the end: as the last basic leaf */
    cpu_cpuid(&g.cpu, g.cpu.model->max_leaf, 0, last);
    CHECK(!memcmp(r, last, sizeof r));
    cpu_cpuid(&g.cpu, 0x80000008, 0, r);
    CHECK_EQ(r[0] & 0xff, 36);
    for (unsigned i = 0; i < cpu_model_count; i++) {
        CHECK(cpu_model_find(cpu_models[i].name) == &cpu_models[i]);
        CHECK_EQ(strlen(cpu_models[i].vendor), 12);
    }
    CHECK(!cpu_model_find("z80"));
    guest_fini(&g);
}

static void test_sysenter(void)
{
    struct guest g;
    start(&g, 3);
    CHECK_EQ(STEP(&g, "\x0f\x34"), FAULT(VEC_GP, 0));
    g.cpu.state.sysenter_cs = S_CODE0 | 3;
    g.cpu.state.sysenter_eip = HANDLERS_AT;
    g.cpu.state.sysenter_esp = RING0_STACK;
    g.cpu.state.rflags |= FLAG_IF;
    CHECK_EQ(STEP(&g, "\x0f\x34"), NONE);
    CHECK_EQ(g.cpu.state.rip, HANDLERS_AT);
    CHECK_EQ(g.cpu.state.gpr[RSP], RING0_STACK);
    CHECK_EQ(g.cpu.state.seg[CS].selector, S_CODE0);
    CHECK_EQ(g.cpu.state.seg[SS].selector, S_CODE0 + 8);
    CHECK_EQ(state_cpl(&g.cpu.state), 0);
    CHECK(!(g.cpu.state.rflags & FLAG_IF));
    g.cpu.state.gpr[RDX] = 0x1234;
    g.cpu.state.gpr[RCX] = 0x5678;
    CHECK_EQ(STEP(&g, "\x0f\x35"), NONE);
    CHECK_EQ(g.cpu.state.rip, 0x1234);
    CHECK_EQ(g.cpu.state.gpr[RSP], 0x5678);
    CHECK_EQ(g.cpu.state.seg[CS].selector, S_CODE3 | 3);
    CHECK_EQ(g.cpu.state.seg[SS].selector, S_DATA3 | 3);
    CHECK_EQ(state_cpl(&g.cpu.state), 3);
    CHECK_EQ(STEP(&g, "\x0f\x35"), FAULT(VEC_GP, 0));
    guest_fini(&g);
}

/* Undefined, unless somebody gives them a meaning. */
static void test_undefined(void)
{
    static const struct { const char *code; u8 len; u8 icept; u16 mnemonic; } row[] = {
        { "\x0f\x01\xc1", 3, ICEPT_VMX, MN_VMCALL }, { "\x0f\x01\xc8", 3, ICEPT_MONITOR, MN_MONITOR }, { "\x0f\x01\xc9", 3, ICEPT_MWAIT, MN_MWAIT },
        { "\x0f\xaa", 2, ICEPT_RSM, MN_RSM },
    };
    struct guest g;
    start(&g, 0);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("row %u", i);
        g.cpu.icept = 0;
        CHECK_EQ(step_bytes(&g, row[i].code, row[i].len), FAULT(VEC_UD, 0));
        g.cpu.icept = BIT(row[i].icept);
        CHECK_EQ(step_bytes(&g, row[i].code, row[i].len), NONE);
        CHECK_EQ(g.cpu.stop.kind, STOP_INTERCEPT);
        CHECK_EQ(g.cpu.stop.icept.mnemonic, row[i].mnemonic);
        CHECK_EQ(g.cpu.stop.icept.insn_len, row[i].len);
    }
    check_context(NULL);
    CHECK_EQ(STEP(&g, "\x0f\x0b"), FAULT(VEC_UD, 0));
    guest_fini(&g);
}

/* --- interception: privilege faults first, then the monitor; RIP stays --- */

static void test_intercepts(void)
{
    static const struct { const char *code; u8 len, icept, reg, cr; bool write, privileged; } row[] = {
        { "\x0f\xa2", 2, ICEPT_CPUID, 0, 0, 0, 0 }, { "\xf4", 1, ICEPT_HLT, 0, 0, 0, 1 }, { "\x0f\x31", 2, ICEPT_RDTSC, 0, 0, 0, 0 },
        { "\x0f\x32", 2, ICEPT_RDMSR, 0, 0, 0, 1 }, { "\x0f\x30", 2, ICEPT_WRMSR, 0, 0, 1, 1 }, { "\x0f\x01\x3d\x00\x80\x00\x00", 7, ICEPT_INVLPG, 0, 0, 0, 1 },
        { "\x0f\x08", 2, ICEPT_INVD, 0, 0, 0, 1 }, { "\x0f\x09", 2, ICEPT_WBINVD, 0, 0, 0, 1 }, { "\x0f\x20\xc3", 3, ICEPT_CR0_READ, 3, 0, 0, 1 },
        { "\x0f\x22\xc3", 3, ICEPT_CR0_WRITE, 3, 0, 1, 1 }, { "\x0f\x20\xdb", 3, ICEPT_CR3_READ, 3, 3, 0, 1 }, { "\x0f\x22\xdb", 3, ICEPT_CR3_WRITE, 3, 3, 1, 1 },
        { "\x0f\x22\xe3", 3, ICEPT_CR4_WRITE, 3, 4, 1, 1 }, { "\x0f\x06", 2, ICEPT_CLTS, 0, 0, 1, 1 }, { "\x0f\x01\xf3", 3, ICEPT_LMSW, 3, 0, 1, 1 },
        { "\x0f\x21\xfb", 3, ICEPT_DR, 3, 7, 0, 1 }, { "\x0f\x23\xfb", 3, ICEPT_DR, 3, 7, 1, 1 }, { "\x0f\x01\x05\x00\x80\x00\x00", 7, ICEPT_GDTR_IDTR, 0, 0, 0, 0 },
        { "\x0f\x01\x15\x00\x80\x00\x00", 7, ICEPT_GDTR_IDTR, 0, 0, 1, 1 }, { "\x0f\x00\xcb", 3, ICEPT_LDTR_TR, 3, 0, 0, 0 },
        { "\x0f\x00\xdb", 3, ICEPT_LDTR_TR, 3, 0, 1, 1 }, { "\xf3\x90", 2, ICEPT_PAUSE, 0, 0, 0, 0 }, { "\x0f\x33", 2, ICEPT_RDPMC, 0, 0, 0, 1 },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 0);
        g.cpu.icept = BIT(row[i].icept);
        check_context("row %u", i);
        struct cpu_state before = g.cpu.state;
        CHECK_EQ(step_bytes(&g, row[i].code, row[i].len), NONE);
        if (CHECK_EQ(g.cpu.stop.kind, STOP_INTERCEPT)) {
            const struct icept_info *f = &g.cpu.stop.icept;
            CHECK_EQ(f->kind, row[i].icept);
            CHECK_EQ(f->insn_len, row[i].len);
            CHECK_EQ(f->reg, row[i].reg);
            CHECK_EQ(f->cr, row[i].cr);
            CHECK_EQ(f->write, row[i].write);
            CHECK_EQ(f->gva, row[i].len == 7 ? 0x8000 : 0);
            CHECK(!memcmp(&before, &g.cpu.state, sizeof before));
        }
        set_ring(&g, 3);
        CHECK_EQ(step_bytes(&g, row[i].code, row[i].len), row[i].privileged ? FAULT(VEC_GP, 0) : NONE);
        guest_fini(&g);
    }
    check_context(NULL);
}

static void test_io_and_msr_bitmaps(void)
{
    struct guest g;
    static u8 io[8192], msr[4096];
    start(&g, 0);
    io[0x61 / 8] = 1 << (0x61 & 7);
    g.cpu.icept = BIT(ICEPT_IO) | BIT(ICEPT_RDMSR) | BIT(ICEPT_WRMSR);
    g.cpu.icept_io_bitmap = io;
    g.cpu.icept_msr_bitmap = msr;
    STEP(&g, "\xe4\x60");
    CHECK_EQ(g.cpu.stop.kind, STOP_DEADLINE);
    STEP(&g, "\x66\xe7\x60"); /* two ports, the second watched */
    CHECK_EQ(g.cpu.stop.kind, STOP_INTERCEPT);
    CHECK_EQ(g.cpu.stop.icept.port, 0x60);
    CHECK_EQ(g.cpu.stop.icept.size, 2);
    CHECK(g.cpu.stop.icept.write && g.cpu.stop.icept.port_imm);
    static const struct { u32 msr; unsigned at, bit; bool write; } row[] = {
        { 0x174, 0x174 / 8, 4, false }, { 0x174, 2048 + 0x174 / 8, 4, true }, { 0xc0000080, 1024 + 0x80 / 8, 0, false }, { 0xc0000080, 3072 + 0x80 / 8, 0, true },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        const char *code = row[i].write ? "\x0f\x30" : "\x0f\x32";
        memset(msr, 0, sizeof msr);
        check_context("row %u", i);
        g.cpu.state.gpr[RCX] = row[i].msr;
        g.cpu.state.gpr[RAX] = g.cpu.state.gpr[RDX] = 0;
        step_bytes(&g, code, 2);
        CHECK_EQ(g.cpu.stop.kind, STOP_DEADLINE);
        msr[row[i].at] = 1 << row[i].bit;
        step_bytes(&g, code, 2);
        CHECK_EQ(g.cpu.stop.kind, STOP_INTERCEPT);
    }
    check_context(NULL);
    g.cpu.state.gpr[RCX] = 0x4000; /* outside both ranges: always */
    STEP(&g, "\x0f\x32");
    CHECK_EQ(g.cpu.stop.kind, STOP_INTERCEPT);
    guest_fini(&g);
}

static void test_task_switch_intercept(void)
{
    struct guest g;
    start(&g, 0);
    fill_tss2(&g, 0);
    g.cpu.icept = BIT(ICEPT_TASK_SWITCH);
    STEP(&g, "\x9a\0\0\0\0\x60\0");
    CHECK_EQ(g.cpu.stop.kind, STOP_INTERCEPT);
    CHECK_EQ(g.cpu.stop.icept.source, S_TSS2);
    CHECK_EQ(g.cpu.stop.icept.mnemonic, MN_CALLF);
    CHECK_EQ(g.cpu.state.tr.selector, S_TSS);
    set_gate(&g, VEC_UD, gate(S_TSS2, 0, 0x85, 0));
    GUEST_CODE(&g, "\x0f\x0b");
    g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(guest_run(&g), STOP_INTERCEPT);
    CHECK(g.cpu.stop.vectoring);
    CHECK_EQ(g.cpu.stop.vectored.vector, VEC_UD);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT);
    guest_fini(&g);
}

/* SDM vol. 3, 25.2: the mask and match for page faults */
static void test_page_fault_mask(void)
{
    static const struct { bool bit; u32 mask, match, error; bool stops; } row[] = {
        { 1, 0, 0, 2, true }, { 0, 0, 0, 2, false }, { 1, 1, 1, 2, false }, { 1, 2, 2, 2, true }, { 0, 1, 1, 2, true }, { 0, 2, 2, 2, false },
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        struct guest g;
        start(&g, 0);
        guest_paging(&g);
        guest_map(&g, 0x8000, 0, 0);
        g.cpu.icept_exc = row[i].bit << VEC_PF;
        g.cpu.icept_pf_mask = row[i].mask;
        g.cpu.icept_pf_match = row[i].match;
        GUEST_CODE(&g, "\xa3\x00\x80\x00\x00");
        check_context("row %u", i);
        CHECK_EQ(guest_run(&g), row[i].stops ? STOP_TRAP : STOP_HLT);
        guest_fini(&g);
    }
    check_context(NULL);
}

/* --- the state itself --- */

static void test_reset(void)
{
    struct cpu_state s;
    char text[4096], tiny[16];
    state_reset(&s);
    CHECK_EQ(s.seg[CS].base + s.rip, 0xfffffff0);
    CHECK_EQ(s.cr0, 0x60000010);
    CHECK_EQ(s.rflags, 2);
    CHECK_EQ(s.fpu.fcw, 0x40);
    CHECK_EQ(s.fpu.mxcsr, 0x1f80);
    size_t len = state_format(&s, text, sizeof text);
    CHECK_EQ(len, strlen(text));
    CHECK_CONTAINS(text, "real mode");
    CHECK_EQ(state_format(&s, tiny, sizeof tiny), sizeof tiny - 1);
}

/* Real mode to protected mode and back, with the descriptor's limit kept: "unreal mode". */
static void test_unreal(void)
{
    struct guest g;
    guest_init(&g, 16);
    fill_gdt(&g);
    g.cpu.state.gdtr = (struct dtable){ GDT_AT, GDT_LIMIT };
    GUEST_CODE(&g, "\x0f\x20\xc0" "\x0c\x01" "\x0f\x22\xc0"    /* PE on */
                   "\xbb\x10\x00" "\x8e\xdb"                   /* mov bx, 10h; mov ds, bx */
                   "\x24\xfe" "\x0f\x22\xc0"                   /* PE off */
                   "\x31\xdb" "\x8e\xdb"                       /* ds = 0 */
                   "\x66\xbe\x00\x00\x20\x00" "\x67\x8a\x0e" "\xf4"); /* mov esi, 200000h; mov cl, [esi]; hlt */
    g.ram[0x200000] = 0x5a;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RCX] & 0xff, 0x5a);
    guest_fini(&g);
}

#define T(name) { #name, test_##name }
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        T(load_segment), T(null_segment_faults_on_use), T(pointer_loads), T(push_pop_segment), T(verify), T(far_transfer_checks), T(call_gate),
        T(call_gate16), T(inner_stack_checks), T(return_checks), T(iret_flags), T(real_mode_transfers), T(same_level), T(to_ring0), T(trap_gate_and_16bit_gate),
        T(gate_checks), T(soft_privilege), T(into_bound), T(page_fault), T(double_fault_matrix), T(triple_fault), T(intercepted_delivery), T(costs),
        T(nmi), T(real_mode_interrupt), T(v86_interrupt_and_return), T(v86_handler_level), T(privilege_matrix), T(popf_silence), T(sti_shadow),
        T(vme), T(pvi), T(io_bitmap), T(in_out), T(task_call_and_return), T(task_jump), T(task_segment_checks), T(task_gate_with_error), T(task_debug_trap),
        T(task16), T(task_to_v86), T(iret_task_checks), T(lldt_ltr), T(tables), T(control_registers), T(pae_pointers), T(debug_registers), T(msrs),
        T(cpuid), T(sysenter), T(undefined), T(intercepts), T(io_and_msr_bitmaps), T(task_switch_intercept), T(page_fault_mask), T(reset), T(unreal),
        { NULL, NULL },
    };
    return check_main(argc, argv, "cpu system", tests);
}
