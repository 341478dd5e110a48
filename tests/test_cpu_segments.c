/* SPDX-License-Identifier: MIT */
/*
 * Segment registers, the instructions that look at descriptors, far transfers through gates and back, LLDT and LTR: tables of what each
 * access to each kind of descriptor must answer.
 */
#include "descriptors.h"

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

#define T(name) { #name, test_##name }
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        T(load_segment), T(null_segment_faults_on_use), T(pointer_loads), T(push_pop_segment), T(verify),
        T(far_transfer_checks), T(call_gate), T(call_gate16), T(inner_stack_checks), T(return_checks), T(iret_flags),
        T(real_mode_transfers), T(lldt_ltr), T(tables),
        { NULL, NULL },
    };
    return check_main(argc, argv, "cpu segments", tests);
}
