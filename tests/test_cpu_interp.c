/* SPDX-License-Identifier: MIT */
/* What happens between two instructions: time, stops, traps, breakpoints; and code that changes. */
#include "guestcode.h"
#include "snippet.h"

#include "cpu/interp.h"

static struct guest g;

static void start(unsigned bits, const u8 *code, size_t len)
{
    guest_init(&g, bits);
    guest_put(&g, GUEST_CODE_AT, code, len);
}

/* --- time --- */

SNIPPET32(compute, "mov $200, %ecx\n 1: add %ecx, %eax\n push %eax\n pop %ebx\n imul $7, %ebx, %edx\n mov %edx, (%esi)\n dec %ecx\n jnz 1b\n"
                   " mov $300, %ecx\n rep stosb\n hlt")

static void start_compute(void)
{
    start(32, SNIP(compute));
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT + 8;
}

/* In slices of any size the same things happen at the same cycles. Each instruction costs one, so a slice ends at its deadline; but for a
 * repeated string instruction, whose last iteration and end are two. */
static void test_deadline(void)
{
    start_compute();
    CHECK_EQ(guest_run(&g), STOP_HLT);
    struct cpu_state whole = g.cpu.state;
    cycles_t end = g.clock.now;
    u64 insns = g.ledger.guest_insns;
    guest_fini(&g);
    for (cycles_t slice = 1; slice < 40; slice += 3) {
        start_compute();
        check_context("slices of %d", (int)slice);
        for (cycles_t deadline = slice; cpu_run(&g.cpu, deadline) == STOP_DEADLINE; deadline = g.clock.now + slice)
            if (!CHECK(g.clock.now >= deadline && g.clock.now <= deadline + 1))
                break;
        CHECK_EQ(g.cpu.stop.kind, STOP_HLT);
        CHECK(!memcmp(&whole.gpr, &g.cpu.state.gpr, sizeof whole.gpr));
        CHECK_EQ(whole.rflags, g.cpu.state.rflags);
        CHECK_EQ(g.clock.now, end);
        CHECK_EQ(g.ledger.guest_insns, insns);
        CHECK_EQ(g.cpu.icount, insns);
        check_context(NULL);
        guest_fini(&g);
    }
}

SNIPPET32(look_at_time, "inc %eax\n inc %eax\n rdtsc\n mov %eax, %ebx\n inc %ecx\n in $0x40, %al\n inc %ecx\n mov (%esi), %ecx\n hlt")

static u64 mmio_read(void *o, u64 offset, unsigned size) { return g.clock.now; }
static void mmio_write(void *o, u64 offset, unsigned size, u64 value) { cpu_kick(&g.cpu); }
static u64 time_of_io;
static u64 note_time(void *o, u16 port, unsigned size) { return time_of_io = g.clock.now; }
static const struct mmio_ops mmio = { mmio_read, mmio_write };

/* Whoever looks at the clock sees all instructions before. */
static void test_exact_clock(void)
{
    start(32, SNIP(look_at_time));
    g.env.io_read = note_time;
    physmap_add_mmio(&g.map, "clock", 0x10000000, PAGE_SIZE, &mmio, NULL, NULL);
    g.cpu.state.gpr[RSI] = 0x10000000;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RBX], 2);
    CHECK_EQ(time_of_io, 5);
    CHECK_EQ(g.cpu.state.gpr[RCX], 7 + 1); /* the access itself costs a cycle, before the device sees it */
    guest_fini(&g);
}

/* --- stops --- */

SNIPPET32(kick_by_store, "inc %eax\n mov %eax, (%esi)\n inc %eax\n inc %eax\n hlt")

static void test_attention(void)
{
    start(32, SNIP(kick_by_store));
    physmap_add_mmio(&g.map, "kicker", 0x10000000, PAGE_SIZE, &mmio, NULL, NULL);
    g.cpu.state.gpr[RSI] = 0x10000000;
    CHECK_EQ(guest_run(&g), STOP_ATTENTION);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 3);
    CHECK_EQ(g.cpu.icount, 2);
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 3);
    CHECK_EQ(guest_run(&g), STOP_HLT); /* a halted one stays halted */
    CHECK_EQ(g.cpu.icount, 5);
    guest_fini(&g);
}

SNIPPET32(rep_out, "rep outsb\n hlt")

static void kick_at_output(void *o, u16 port, unsigned size, u64 value) { cpu_kick(&g.cpu); }

/* A device that wants the run loop gets it between two iterations. */
static void test_rep_interrupted(void)
{
    start(32, SNIP(rep_out));
    g.env.io_write = kick_at_output;
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RCX] = 3;
    for (int left = 2; left > 0; left--) {
        CHECK_EQ(guest_run(&g), STOP_ATTENTION);
        CHECK_EQ(g.cpu.state.gpr[RCX], left);
        CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT);
        CHECK_EQ(g.cpu.icount, 0);
    }
    CHECK_EQ(guest_run(&g), STOP_ATTENTION); /* the last one is the instruction's end */
    CHECK_EQ(g.cpu.icount, 1);
    CHECK_EQ(g.cpu.state.rflags & FLAG_RF, 0);
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.clock.now, 5); /* three iterations, the string instruction's own, HLT */
    guest_fini(&g);
}

SNIPPET32(sti_shadow, "sti\n inc %eax\n cli\n sti\n hlt\n inc %ebx")
SNIPPET32(mov_ss_shadow, "sti\n mov %cx, %ss\n inc %eax\n hlt")

static void test_window(void)
{
    start(32, SNIP(sti_shadow));
    g.cpu.want_window = true;
    CHECK_EQ(guest_run(&g), STOP_WINDOW);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 2); /* behind the instruction after STI */
    g.cpu.want_window = false;
    CHECK_EQ(cpu_step(&g.cpu), STOP_DEADLINE); /* CLI */
    g.cpu.want_window = true;
    CHECK_EQ(guest_run(&g), STOP_WINDOW);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 5); /* STI; HLT is not torn apart */
    CHECK_EQ(g.cpu.state.activity, CPU_HALTED);
    guest_fini(&g);
}

static void test_intercepts(void)
{
    static const u8 code[] = { 0x40, 0xcd, 0x80, 0x0f, 0xa2, 0xf4 }; /* inc eax; int 0x80; cpuid; hlt */
    start(32, code, sizeof code);
    g.cpu.icept_soft_int = true;
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.type, TRAP_SOFT_INT);
    CHECK_EQ(g.cpu.stop.trap.vector, 0x80);
    CHECK_EQ(g.cpu.stop.trap.insn_len, 2);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 1);
    CHECK_EQ(g.cpu.icount, 1);
    g.cpu.state.rip += 2;
    g.cpu.icept = BIT(ICEPT_CPUID) | BIT(ICEPT_HLT);
    CHECK_EQ(guest_run(&g), STOP_INTERCEPT);
    CHECK_EQ(g.cpu.stop.icept.kind, ICEPT_CPUID);
    CHECK_EQ(g.cpu.stop.icept.insn_len, 2);
    CHECK_EQ(cpu_emulate(&g.cpu), STOP_DEADLINE); /* the monitor has it done after all */
    CHECK_EQ(guest_run(&g), STOP_INTERCEPT);
    CHECK_EQ(g.cpu.stop.icept.kind, ICEPT_HLT);
    CHECK_EQ(g.cpu.icount, 2);
    guest_fini(&g);
}

/* --- traps and breakpoints --- */

SNIPPET32(straight, "inc %eax\n inc %eax\n mov %eax, (%esi)\n mov (%esi), %ebx\n rep movsb\n inc %eax\n hlt")

static void test_single_step(void)
{
    start(32, SNIP(straight));
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT + 64;
    g.cpu.state.gpr[RCX] = 2;
    g.cpu.state.rflags |= FLAG_TF;
    g.cpu.icept_exc = BIT(VEC_DB);
    static const u8 after[] = { 1, 2, 4, 6, 6, 8, 9 }; /* both iterations of REP MOVSB trap */
    for (size_t k = 0; k < ARRAY_LEN(after); k++) {
        CHECK_EQ(guest_run(&g), STOP_TRAP);
        CHECK_EQ(g.cpu.stop.trap.vector, VEC_DB);
        CHECK_EQ(g.cpu.stop.trap.dr6, BIT(14));
        CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + after[k]);
    }
    guest_fini(&g);
}

static void test_single_step_mov_ss(void)
{
    start(32, SNIP(mov_ss_shadow));
    g.cpu.state.rflags |= FLAG_TF;
    g.cpu.icept_exc = BIT(VEC_DB);
    u32 gdt[6] = { 0, 0, 0, 0, 0x0000ffff, 0x00cf9300 };
    guest_put(&g, 0x3000, gdt, sizeof gdt);
    g.cpu.state.gdtr.base = 0x3000;
    g.cpu.state.gdtr.limit = sizeof gdt - 1;
    g.cpu.state.gpr[RCX] = 0x10;
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 1);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 4); /* MOV SS held the trap back */
    guest_fini(&g);
}

static void test_guest_breakpoints(void)
{
    start(32, SNIP(straight));
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT + 64;
    g.cpu.state.gpr[RCX] = 1;
    g.cpu.state.dr[0] = GUEST_CODE_AT + 1;
    g.cpu.state.dr[1] = GUEST_DATA_AT + 3;
    g.cpu.state.dr[2] = GUEST_DATA_AT + 1;
    g.cpu.state.dr[7] = 0x400 | 1 << 0 | 1 << 2 | 1 << 4 | 1 << 20 | 3 << 24; /* DR0: execution; DR1: writes; DR2: accesses */
    g.cpu.icept_exc = BIT(VEC_DB);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.dr6, 1);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 1); /* a fault: before it */
    g.cpu.state.rflags |= FLAG_RF;
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.dr6, 2 | 4);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 4); /* a trap: behind the store */
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.dr6, 4);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 6); /* the load */
    CHECK_EQ(guest_run(&g), STOP_HLT);
    guest_fini(&g);
}

static void test_debugger(void)
{
    struct cpu_debug debug = { .nbreak = 1, .brk = { GUEST_CODE_AT + 4 }, .nwatch = 1 };
    debug.watch[0].gva = GUEST_DATA_AT + 64;
    debug.watch[0].len = 1;
    debug.watch[0].access = ACCESS_WRITE;
    start(32, SNIP(straight));
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT + 60;
    g.cpu.state.gpr[RCX] = 20;
    g.cpu.debug = &debug;
    CHECK_EQ(guest_run(&g), STOP_BREAK);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 4);
    CHECK_EQ(debug.hit, GUEST_CODE_AT + 4);
    CHECK_EQ(guest_run(&g), STOP_BREAK); /* goes on over it, to the watchpoint */
    CHECK_EQ(debug.hit, GUEST_DATA_AT + 64);
    CHECK_EQ(g.cpu.state.gpr[RCX], 15);
    debug.nwatch = 0;
    debug.step = true;
    CHECK_EQ(guest_run(&g), STOP_BREAK);
    CHECK_EQ(g.cpu.state.gpr[RCX], 14);
    g.cpu.debug = NULL;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    guest_fini(&g);
}

/* --- exceptions through the IDT --- */

SNIPPET32(faulting, "mov (%esi), %eax\n hlt")
SNIPPET32(handler, "pop %ecx\n movl $0x8003, 0x180020\n invlpg 0x8000\n iret")

static void set_gate(unsigned vector, u32 handler_at)
{
    guest_poke32(&g, 0x4000 + vector * 8, 0x00080000 | (handler_at & 0xffff));
    guest_poke32(&g, 0x4004 + vector * 8, (handler_at & 0xffff0000) | 0x8e00);
}

/* #PF, delivered, mends the page table and returns; the instruction then runs. */
static void test_delivery(void)
{
    static const u32 gdt[4] = { 0, 0, 0x0000ffff, 0x00cf9b00 };
    start(32, SNIP(faulting));
    guest_paging(&g);
    guest_map(&g, 0x8000, 0, 0);
    guest_map(&g, 0x180000, GUEST_TABLES_AT + PAGE_SIZE, 7); /* the first page table, for the handler */
    guest_put(&g, 0x3000, gdt, sizeof gdt);
    guest_put(&g, 0x5000, SNIP(handler));
    set_gate(VEC_PF, 0x5000);
    g.cpu.state.gdtr = (struct dtable){ 0x3000, sizeof gdt - 1 };
    g.cpu.state.idtr = (struct dtable){ 0x4000, 0x7ff };
    g.cpu.state.gpr[RSI] = 0x8010;
    guest_poke32(&g, 0x8010, 42);
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 42);
    CHECK_EQ(g.cpu.state.gpr[RCX], 0); /* the error code: read, not present, supervisor */
    CHECK_EQ(g.cpu.state.cr2, 0x8010);
    CHECK_EQ(g.cpu.icount, 6);
    CHECK_EQ(g.clock.now, 7); /* and one for the delivery */
    guest_fini(&g);
}

/* --- code that changes --- */

/* The store turns the INC EAX behind it into INC ECX, in the same block. */
SNIPPET32(modify_next, "mov $2, %edx\n 1: movb %bl, 2f-snip_modify_next+0x1000\n 2: inc %eax\n dec %edx\n jnz 1b\n hlt")

static void test_self_modifying(void)
{
    start(32, SNIP(modify_next));
    g.cpu.state.gpr[RBX] = 0x41;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RCX], 2); /* from the first round on */
    CHECK_EQ(g.cpu.state.gpr[RAX], 0);
    guest_fini(&g);
}

/* The same page under two linear addresses; and a device's write. */
static void test_modified_elsewhere(void)
{
    static const u8 code[] = { 0x40, 0x88, 0x1e, 0x40, 0xf4 }; /* inc eax; mov [esi], bl; inc eax; hlt */
    start(32, code, sizeof code);
    guest_paging(&g);
    guest_map(&g, 0x30000, GUEST_CODE_AT, 7);
    g.cpu.state.gpr[RSI] = 0x30003;
    g.cpu.state.gpr[RBX] = 0x41;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 1);
    CHECK_EQ(g.cpu.state.gpr[RCX], 1);
    guest_put(&g, GUEST_CODE_AT, "\x43\x90\x90\x90", 4); /* inc ebx; nop... */
    g.cpu.state.activity = CPU_ACTIVE;
    g.cpu.state.rip = GUEST_CODE_AT;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RBX], 0x42);
    guest_fini(&g);
}

/* The same linear address leads to other code after INVLPG. */
SNIPPET32(remap, "call *%ebx\n movl $0x21003, 0x180080\n invlpg 0x20000\n call *%ebx\n hlt")

static void test_remapped(void)
{
    start(32, SNIP(remap));
    guest_paging(&g);
    guest_map(&g, 0x180000, GUEST_TABLES_AT + PAGE_SIZE, 7);
    guest_put(&g, 0x20000, "\x40\xc3", 2); /* inc eax; ret */
    guest_put(&g, 0x21000, "\x41\xc3", 2); /* inc ecx; ret */
    g.cpu.state.gpr[RBX] = 0x20000;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 1);
    CHECK_EQ(g.cpu.state.gpr[RCX], 1);
    guest_fini(&g);
}

/* Stores that only share the page with code go on working, and fast enough: the page is given up as code when its blocks go. */
static void test_all_blocks_gone(void)
{
    start(32, SNIP(straight));
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT + 64;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(physmap_marks(&g.map, GUEST_CODE_AT), MARK_DECODED);
    guest_poke32(&g, GUEST_CODE_AT + 100, 1);
    CHECK_EQ(physmap_marks(&g.map, GUEST_CODE_AT), MARK_DECODED);
    u8 zeros[16] = { 0 };
    guest_put(&g, GUEST_CODE_AT, zeros, sizeof zeros);
    CHECK_EQ(physmap_marks(&g.map, GUEST_CODE_AT), 0);
    guest_fini(&g);
}

/* --- fetching --- */

/* An instruction in two pages: the fault is in the second one, and says so; then it runs, and runs again when it has changed. */
static void test_fetch_across_pages(void)
{
    static const u8 code[] = { 0x40, 0xb9, 0x78, 0x56 }; /* inc eax; mov ecx, 0x....5678 */
    guest_init(&g, 32);
    guest_paging(&g);
    guest_map(&g, 0x9000, 0, 0);
    guest_put(&g, 0x9000 - sizeof code, code, sizeof code);
    g.cpu.state.rip = 0x9000 - sizeof code;
    g.cpu.icept_exc = BIT(VEC_PF);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.cr2, 0x9000);
    CHECK_EQ(g.cpu.state.rip, 0x9000 - 3);
    CHECK_EQ(g.cpu.icount, 1);
    guest_map(&g, 0x9000, 0x20000, 7);
    for (u8 high = 0x12; high < 0x14; high++) {
        u8 tail[] = { 0x34, high, 0xf4 };
        guest_put(&g, 0x20000, tail, sizeof tail);
        g.cpu.state.rip = 0x9000 - 3;
        g.cpu.state.activity = CPU_ACTIVE;
        CHECK_EQ(guest_run(&g), STOP_HLT);
        CHECK_EQ(g.cpu.state.gpr[RCX], high << 24 | 0x345678);
    }
    guest_fini(&g);
}

/* The code segment ends in the middle of an instruction. */
static void test_fetch_limit(void)
{
    static const u8 code[] = { 0x40, 0xb9, 1, 0, 0, 0, 0xf4 };
    start(32, code, sizeof code);
    g.cpu.state.seg[CS].limit = GUEST_CODE_AT + 4;
    g.cpu.icept_exc = BIT(VEC_GP);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 1);
    g.cpu.state.seg[CS].limit = GUEST_CODE_AT + 5;
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT + 6);
    CHECK_EQ(g.cpu.state.gpr[RCX], 1);
    guest_fini(&g);
}

static void expect_vector(const char *bytes, size_t len, u8 vector)
{
    start(32, (const u8 *)bytes, len);
    g.cpu.icept_exc = ~0u;
    check_context("%02x %02x %02x", (u8)bytes[0], (u8)bytes[1], (u8)bytes[2]);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.vector, vector);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT);
    check_context(NULL);
    guest_fini(&g);
}

static void test_unlawful(void)
{
    expect_vector("\xf0\x01\xd8\xf4", 4, VEC_UD); /* LOCK ADD eax, ebx */
    expect_vector("\xf0\x8b\x03\xf4", 4, VEC_UD); /* LOCK MOV */
    expect_vector("\x0f\xff\xc0\xf4", 4, VEC_UD);
    expect_vector("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 16, VEC_GP); /* 16 bytes */
}

/* Code without end at the top of the address space: EIP wraps, nothing else happens. */
static void test_wrap(void)
{
    guest_init(&g, 32);
    u8 *top = physmap_add_ram(&g.map, "top", 0xfffff000, PAGE_SIZE, NULL);
    memset(top, 0x40, PAGE_SIZE);
    guest_put(&g, 0, "\x41\xf4", 2);
    g.cpu.state.rip = 0xffffffee;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], 18);
    CHECK_EQ(g.cpu.state.gpr[RCX], 1);
    CHECK_EQ(g.cpu.state.rip, 2);
    guest_fini(&g);
}

/* Every instruction of the decoder has a handler. */
static void test_handlers(void)
{
    guest_init(&g, 32);
    for (unsigned k = 0; k < opcode_count; k++) {
        check_context("%s", mnemonic_names[opcode_rows[k].mnemonic]);
        CHECK(dcache_handler(&g.cpu, opcode_rows[k].mnemonic) != NULL);
    }
    check_context(NULL);
    guest_fini(&g);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "deadline", test_deadline }, { "exact_clock", test_exact_clock }, { "attention", test_attention }, { "rep_interrupted", test_rep_interrupted },
        { "window", test_window }, { "intercepts", test_intercepts }, { "single_step", test_single_step },
        { "single_step_mov_ss", test_single_step_mov_ss }, { "guest_breakpoints", test_guest_breakpoints }, { "debugger", test_debugger },
        { "delivery", test_delivery }, { "self_modifying", test_self_modifying }, { "modified_elsewhere", test_modified_elsewhere },
        { "remapped", test_remapped }, { "all_blocks_gone", test_all_blocks_gone }, { "fetch_across_pages", test_fetch_across_pages },
        { "fetch_limit", test_fetch_limit }, { "unlawful", test_unlawful }, { "wrap", test_wrap }, { "handlers", test_handlers }, { NULL, NULL },
    };
    return check_main(argc, argv, "cpu interp", tests);
}
