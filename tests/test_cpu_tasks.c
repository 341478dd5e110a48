/* SPDX-License-Identifier: MIT */
/*
 * Task switches by hardware: by CALL, JMP, IRET and gates, to 32-bit, 16-bit and virtual-8086 tasks.
 */
#include "descriptors.h"

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

#define T(name) { #name, test_##name }
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        T(task_call_and_return), T(task_jump), T(task_segment_checks), T(task_gate_with_error), T(task_debug_trap),
        T(task16), T(task_to_v86), T(iret_task_checks), T(task_switch_intercept),
        { NULL, NULL },
    };
    return check_main(argc, argv, "cpu tasks", tests);
}
