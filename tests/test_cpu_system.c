/* SPDX-License-Identifier: MIT */
/*
 * Control, debug and model-specific registers, CPUID, SYSENTER, what a monitor can intercept, and the state itself.
 */
#include "descriptors.h"

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
        T(control_registers), T(pae_pointers), T(debug_registers), T(msrs), T(cpuid), T(sysenter), T(undefined),
        T(intercepts), T(io_and_msr_bitmaps), T(page_fault_mask), T(reset), T(unreal),
        { NULL, NULL },
    };
    return check_main(argc, argv, "cpu system", tests);
}
