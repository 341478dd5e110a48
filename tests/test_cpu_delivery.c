/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts: gates, levels, stacks, error codes, double and triple faults, and what each delivery costs.
 */
#include "descriptors.h"

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

#define T(name) { #name, test_##name }
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        T(same_level), T(to_ring0), T(trap_gate_and_16bit_gate), T(gate_checks), T(soft_privilege), T(into_bound),
        T(page_fault), T(double_fault_matrix), T(triple_fault), T(intercepted_delivery), T(costs), T(nmi),
        T(real_mode_interrupt),
        { NULL, NULL },
    };
    return check_main(argc, argv, "cpu delivery", tests);
}
