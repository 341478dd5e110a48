/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: virtual-8086 mode, CPL against IOPL, the I/O permission bitmap, virtual interrupt flags.
 */
#include "descriptors.h"

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

#define T(name) { #name, test_##name }
int main(int argc, char **argv)
{
    static const struct check tests[] = {
        T(v86_interrupt_and_return), T(v86_handler_level), T(privilege_matrix), T(popf_silence), T(sti_shadow),
        T(vme), T(pvi), T(io_bitmap), T(in_out),
        { NULL, NULL },
    };
    return check_main(argc, argv, "cpu privilege", tests);
}
