/* SPDX-License-Identifier: MIT */
/* Integer and string instructions: known results of the cases that are easy to get wrong. */
#include "guestcode.h"
#include "snippet.h"

static struct guest g;

/* --- registers and flags by table --- */

enum { C = FLAG_CF, P = FLAG_PF, A = FLAG_AF, Z = FLAG_ZF, S = FLAG_SF, O = FLAG_OF, NONE = 0, ALL = FLAG_STATUS };

/* Each row: code, EAX EBX ECX EDX and flags before; EAX EBX EDX after; flags after, of those in mask. */
#define ROWS(X) \
    X(shl_by_0, "shl %cl, %eax", 0x80000001, 0, 0, 0, ALL, 0x80000001, 0, 0, ALL, ALL) \
    X(shl_by_32, "shl %cl, %eax", 0x80000001, 0, 32, 0, C | Z, 0x80000001, 0, 0, C | Z, ALL) \
    X(shl_by_33, "shl %cl, %eax", 0x80000001, 0, 33, 0, 0, 2, 0, 0, C | O, C | O | Z | S | P) \
    X(shl_byte_by_9, "shl %cl, %al", 0x1ff, 0, 9, 0, 0, 0x100, 0, 0, Z | P, Z | S | P) \
    X(shl_byte_by_8, "shl %cl, %al", 0x101, 0, 8, 0, 0, 0x100, 0, 0, Z | P | C, Z | S | P | C) \
    X(shr_word_by_17, "shr %cl, %ax", 0xffff8000, 0, 17, 0, C, 0xffff0000, 0, 0, Z | P, Z | S | P) \
    X(shr_by_1, "shr $1, %eax", 0x80000001, 0, 0, 0, 0, 0x40000000, 0, 0, C | O | P, C | O | Z | S | P) \
    X(sar_by_31, "sar $31, %eax", 0x80000000, 0, 0, 0, 0, 0xffffffff, 0, 0, S | P, C | S | Z | P) \
    X(sar_byte_by_20, "sar %cl, %al", 0x80, 0, 20, 0, 0, 0xff, 0, 0, C | S | P, C | S | Z | P) \
    X(rol_byte_by_8, "rol %cl, %al", 0x81, 0, 8, 0, Z, 0x81, 0, 0, Z | C, Z | C | S) \
    X(ror_by_1, "ror $1, %eax", 1, 0, 0, 0, 0, 0x80000000, 0, 0, C | O, C | O) \
    X(rcl_byte_by_9, "rcl %cl, %al", 0x55, 0, 9, 0, C, 0x55, 0, 0, C, C) \
    X(rcl_byte_by_1, "rcl $1, %al", 0x80, 0, 0, 0, C, 1, 0, 0, C | O, C | O) \
    X(rcr_by_2, "rcr $2, %eax", 0, 0, 0, 0, C, 0x40000000, 0, 0, 0, C) \
    X(rcr_word_by_17, "rcr %cl, %ax", 0x1234, 0, 17, 0, C, 0x1234, 0, 0, C, C) \
    X(shld_by_4, "shld $4, %ebx, %eax", 0x1abcdef0, 0x9fffffff, 0, 0, 0, 0xabcdef09, 0x9fffffff, 0, C | S | P, C | S | Z | P) \
    X(shld_by_0, "shld %cl, %ebx, %eax", 5, 6, 32, 0, C | Z, 5, 6, 0, C | Z, ALL) \
    X(shrd_by_1, "shrd $1, %ebx, %eax", 1, 1, 0, 0, 0, 0x80000000, 1, 0, C | O | S | P, C | O | S | Z | P) \
    X(shld_word, "shld $12, %bx, %ax", 0xffff1234, 0xabcd, 0, 0, 0, 0xffff4abc, 0xabcd, 0, C, C | S | Z | P) \
    X(adc_wraps, "adc %ebx, %eax", 0xffffffff, 0xffffffff, 0, 0, C, 0xffffffff, 0xffffffff, 0, C | A | S | P, ALL) \
    X(sbb_self, "sbb %eax, %eax", 7, 0, 0, 0, C, 0xffffffff, 0, 0, C | A | S | P, ALL) \
    X(neg_min, "neg %al", 0x80, 0, 0, 0, 0, 0x80, 0, 0, C | O | S, ALL) \
    X(inc_keeps_carry, "inc %eax", 0x7fffffff, 0, 0, 0, C, 0x80000000, 0, 0, C | O | S | A | P, ALL) \
    X(dec_byte_high, "dec %ah", 0x80ff, 0, 0, 0, 0, 0x7fff, 0, 0, O | A, ALL) \
    X(add_word_keeps_top, "add %bx, %ax", 0xaaaaffff, 1, 0, 0, 0, 0xaaaa0000, 1, 0, C | Z | A | P, ALL) \
    X(mul_byte, "mul %bl", 0xff80, 2, 0, 0, 0, 0x100, 2, 0, C | O, C | O) \
    X(mul_dword, "mul %ebx", 0xffffffff, 0xffffffff, 0, 0, 0, 1, 0xffffffff, 0xfffffffe, C | O, C | O) \
    X(imul_fits, "imul %ebx", 0xffffffff, 5, 0, 9, C | O, 0xfffffffb, 5, 0xffffffff, 0, C | O) \
    X(imul_overflows, "imul %ebx, %eax", 0x40000000, 2, 0, 0, 0, 0x80000000, 2, 0, C | O, C | O) \
    X(imul_three, "imul $-3, %ebx, %eax", 0, 7, 0, 0, C, 0xffffffeb, 7, 0, 0, C | O) \
    X(div_exact, "div %ebx", 0xffffffff, 0xffffffff, 0, 0xfffffffe, 0, 0xffffffff, 0xffffffff, 0xfffffffe, 0, 0) \
    X(idiv_negative, "idiv %bl", 0xfff9, 2, 0, 0, 0, 0xfffd, 2, 0, 0, 0) \
    X(idiv_min, "idiv %ebx", 0x80000000, 1, 0, 0xffffffff, 0, 0x80000000, 1, 0, 0, 0) \
    X(cwd, "cwd", 0x8000, 0, 0, 0x12340000, 0, 0x8000, 0, 0x1234ffff, 0, 0) \
    X(daa_both, "daa", 0x9a, 0, 0, 0, 0, 0, 0, 0, C | A | Z | P, C | A | Z | P | S) \
    X(daa_carry, "daa", 0x32, 0, 0, 0, C, 0x92, 0, 0, C | S, C | A | Z | P | S) \
    X(das_borrow, "das", 0x01, 0, 0, 0, A, 0xfb, 0, 0, C | A | S, C | A | Z | P | S) \
    X(das_plain, "das", 0x45, 0, 0, 0, 0, 0x45, 0, 0, 0, C | A | Z | P | S) \
    X(aaa_adjusts, "aaa", 0xff0f, 0, 0, 0, 0, 0x0005, 0, 0, C | A, C | A) \
    X(aaa_not, "aaa", 0x0239, 0, 0, 0, C, 0x0209, 0, 0, 0, C | A) \
    X(aas_adjusts, "aas", 0x0200, 0, 0, 0, A, 0x000a, 0, 0, C | A, C | A) \
    X(aam, "aam", 79, 0, 0, 0, 0, 0x0709, 0, 0, P, Z | S | P) \
    X(aad, "aad", 0x0709, 0, 0, 0, 0, 79, 0, 0, 0, Z | S | P) \
    X(salc, ".byte 0xd6", 0x1200, 0, 0, 0, C, 0x12ff, 0, 0, C, ALL) \
    X(bsf_zero, "bsf %ebx, %eax", 77, 0, 0, 0, 0, 77, 0, 0, Z, Z) \
    X(bsr, "bsr %ebx, %eax", 0, 0x00100001, 0, 0, Z, 20, 0x00100001, 0, 0, Z) \
    X(bswap, "bswap %eax", 0x12345678, 0, 0, 0, 0, 0x78563412, 0, 0, 0, ALL) \
    X(bt_modulo, "bt %ebx, %eax", 0x10, 36, 0, 0, Z, 0x10, 36, 0, C | Z, C | Z) \
    X(btr_imm, "btr $33, %eax", 2, 0, 0, 0, 0, 0, 0, 0, C, C) \
    X(cmov_taken, "cmovl %ebx, %eax", 1, 2, 0, 0, S, 2, 2, 0, S, ALL) \
    X(cmov_not, "cmovge %ebx, %eax", 1, 2, 0, 0, S, 1, 2, 0, S, ALL) \
    X(setcc_high, "setbe %ah", 0x5555, 0, 0, 0, Z, 0x0155, 0, 0, Z, ALL) \
    X(xadd_self, "xadd %eax, %eax", 21, 0, 0, 0, 0, 42, 0, 0, 0, C | A | Z | S) \
    X(xadd, "xadd %ebx, %eax", 1, 2, 0, 0, 0, 3, 1, 0, P, ALL) \
    X(cmpxchg_equal, "cmpxchg %edx, %ebx", 5, 5, 0, 9, 0, 5, 9, 9, Z | P, ALL) \
    X(cmpxchg_differs, "cmpxchg %edx, %ebx", 5, 6, 0, 9, 0, 6, 6, 9, C | A | S | P, ALL) \
    X(xchg_high_low, "xchg %al, %ah", 0x1234, 0, 0, 0, 0, 0x3412, 0, 0, 0, ALL) \
    X(movsx_high, "movsx %bh, %eax", 0, 0x8000, 0, 0, 0, 0xffffff80, 0x8000, 0, 0, ALL) \
    X(lahf, "lahf", 0xffff, 0, 0, 0, C | Z | O, 0x43ff, 0, 0, C | Z | O, ALL) \
    X(sahf_keeps_of, "sahf", 0x8000, 0, 0, 0, O | C, 0x8000, 0, 0, O | S, ALL) \
    X(lea_wraps, "lea 8(%eax,%ebx,4), %eax", 0xfffffff8, 2, 0, 0, C, 8, 2, 0, C, ALL) \
    X(loop_counts, "loop .+3\n inc %eax\n inc %eax", 0, 0, 2, 0, 0, 1, 0, 0, 0, 0) \
    X(loop_ends, "loop .+3\n inc %eax\n inc %eax", 0, 0, 1, 0, 0, 2, 0, 0, 0, 0) \
    X(loop_16, "addr16 loop .+4\n inc %eax\n inc %eax", 0, 0, 0x10001, 0, 0, 2, 0, 0, 0, 0) \
    X(jcxz_16, "jcxz .+4\n inc %eax\n inc %eax", 0, 0, 0x10000, 0, 0, 1, 0, 0, 0, 0)

#define CODE(name, text, ...) SNIPPET32(name, text "\n hlt\n hlt")
ROWS(CODE)

struct row { const char *name; const u8 *code, *end; u32 before[4], flags, eax, ebx, edx, flags_after, mask; };
#define ROW(name, text, a, b, c, d, f, a2, b2, d2, f2, mask) { #name, snip_##name, snip_##name##_end, { a, c, d, b }, f, a2, b2, d2, f2, mask },
static const struct row rows[] = { ROWS(ROW) };

static void start(unsigned bits, const u8 *code, size_t len)
{
    guest_init(&g, bits);
    guest_put(&g, GUEST_CODE_AT, code, len);
}

static void check_row(const struct row *r, bool step)
{
    start(32, r->code, r->end - r->code);
    for (int k = 0; k < 4; k++)
        g.cpu.state.gpr[k] = r->before[k];
    g.cpu.state.rflags |= r->flags;
    check_context("%s%s", r->name, step ? ", stepped" : "");
    if (step)
        while (cpu_step(&g.cpu) == STOP_DEADLINE)
            continue;
    else
        CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RAX], r->eax);
    CHECK_EQ(g.cpu.state.gpr[RBX], r->ebx);
    CHECK_EQ(g.cpu.state.gpr[RDX], r->edx);
    CHECK_EQ(g.cpu.state.rflags & r->mask, r->flags_after);
    check_context(NULL);
    guest_fini(&g);
}

static void test_rows(void)
{
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        check_row(&rows[k], false);
        check_row(&rows[k], true);
    }
}

/* --- faults leave everything as it was --- */

SNIPPET32(div_ebx, "div %ebx\n hlt")
SNIPPET32(idiv_ebx, "idiv %ebx\n hlt")
SNIPPET32(idiv_bl, "idiv %bl\n hlt")
SNIPPET32(aam_0, "aam $0\n hlt")

/* Run to a fault that is intercepted, so that the state can be compared with the one before. */
static void expect_fault(u8 vector)
{
    struct cpu_state before = g.cpu.state;
    g.cpu.icept_exc = BIT(vector);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    CHECK_EQ(g.cpu.stop.trap.vector, vector);
    CHECK(!memcmp(g.cpu.state.gpr, before.gpr, sizeof before.gpr));
    CHECK_EQ(g.cpu.state.rip, before.rip);
    CHECK_EQ(g.cpu.state.rflags, before.rflags);
    CHECK_EQ(g.cpu.icount, 0);
}

static void expect_de(const u8 *code, size_t len, u32 eax, u32 ebx, u32 edx)
{
    start(32, code, len);
    g.cpu.state.gpr[RAX] = eax;
    g.cpu.state.gpr[RBX] = ebx;
    g.cpu.state.gpr[RDX] = edx;
    expect_fault(VEC_DE);
    guest_fini(&g);
}

static void test_divide_error(void)
{
    expect_de(SNIP(div_ebx), 1, 0, 0);
    expect_de(SNIP(div_ebx), 0, 5, 5);
    expect_de(SNIP(idiv_ebx), 0x80000000, 0xffffffff, 0xffffffff);
    expect_de(SNIP(idiv_ebx), 0, 1, 1);
    expect_de(SNIP(idiv_bl), 0x80, 1, 0);
    expect_de(SNIP(idiv_bl), 0xff7f, 1, 0); /* -129 / 1 */
    expect_de(SNIP(aam_0), 1, 0, 0);
}

/* GUEST_DATA_AT + PAGE_SIZE is not present; EBX and ESP point just below it or into it. */
#define PAGE_CASES(X) \
    X(mov_across, "mov %eax, -2(%ebx)", 1) X(add_across, "add %eax, -2(%ebx)", 1) X(read_across, "mov -2(%ebx), %eax", 0) \
    X(add_missing, "add %eax, (%ebx)", 1) X(cmp_missing, "cmp %eax, (%ebx)", 0) X(xchg_missing, "xchg %eax, (%ebx)", 1) \
    X(bts_missing, "bts %eax, (%ebx)", 1) X(cmpxchg8b_across, "cmpxchg8b -4(%ebx)", 1) X(pop_mem, "pop -2(%ebx)", 1) \
    X(push_missing, "mov %eax, %eax\n push %eax", 1) X(shl_missing, "shll %cl, (%ebx)", 1) X(setcc_missing, "setne (%ebx)", 1) \
    X(cmov_missing, "cmovne (%ebx), %eax", 0) X(inc_missing, "incl (%ebx)", 1) X(movs_missing, "movsl", 1) X(xadd_across, "xadd %eax, -3(%ebx)", 1)
#define PAGE_CODE(name, text, write) SNIPPET32(name, text "\n hlt")
PAGE_CASES(PAGE_CODE)
#define PAGE_ROW(name, text, write) { #name, snip_##name, snip_##name##_end, write },
static const struct { const char *name; const u8 *code, *end; bool write; } page_rows[] = { PAGE_CASES(PAGE_ROW) };

static void test_page_fault(void)
{
    u8 before[PAGE_SIZE];
    for (size_t k = 0; k < ARRAY_LEN(page_rows); k++) {
        bool pushes = !strcmp(page_rows[k].name, "push_missing");
        start(32, page_rows[k].code, page_rows[k].end - page_rows[k].code);
        guest_paging(&g);
        guest_map(&g, GUEST_DATA_AT + PAGE_SIZE, 0, 0);
        check_context("%s", page_rows[k].name);
        g.cpu.state.gpr[RBX] = g.cpu.state.gpr[RDI] = GUEST_DATA_AT + PAGE_SIZE;
        g.cpu.state.gpr[RSP] = pushes ? GUEST_DATA_AT + PAGE_SIZE + 4 : GUEST_STACK_AT;
        g.cpu.state.gpr[RSI] = GUEST_STACK_AT;
        g.cpu.state.gpr[RCX] = 1;
        memcpy(before, g.ram + GUEST_DATA_AT, PAGE_SIZE);
        if (pushes)
            CHECK_EQ(cpu_step(&g.cpu), STOP_DEADLINE), g.cpu.icount = 0;
        expect_fault(VEC_PF);
        CHECK_EQ(g.cpu.stop.trap.error, page_rows[k].write ? PF_WRITE : 0);
        CHECK_EQ(g.cpu.stop.trap.cr2, GUEST_DATA_AT + PAGE_SIZE);
        CHECK(!memcmp(before, g.ram + GUEST_DATA_AT, PAGE_SIZE));
        check_context(NULL);
        guest_fini(&g);
    }
}

SNIPPET32(across_pages, "mov %eax, -2(%ebx)\n mov -3(%ebx), %ecx\n add %eax, -1(%ebx)\n hlt")

static void test_page_crossing(void)
{
    start(32, SNIP(across_pages));
    guest_paging(&g);
    guest_map(&g, GUEST_DATA_AT + PAGE_SIZE, 0x20000, 7);
    g.cpu.state.gpr[RBX] = GUEST_DATA_AT + PAGE_SIZE;
    g.cpu.state.gpr[RAX] = 0x44332211;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.cpu.state.gpr[RCX], 0x33221100);
    CHECK_EQ(g.ram[GUEST_DATA_AT + PAGE_SIZE - 1], 0x33); /* 22h + 11h */
    CHECK_EQ(guest_peek32(&g, 0x20000) & 0xffffff, 0x447755);
    guest_fini(&g);
}

/* --- stack frames, bits in memory, addressing --- */

SNIPPET32(frames, "pusha\n mov $0x11111111, %ebp\n enter $8, $2\n mov %ebp, %eax\n leave\n mov %ebp, %ebx\n popa\n hlt")

static void test_frames(void)
{
    start(32, SNIP(frames));
    for (int r = 0; r < 8; r++)
        if (r != RSP)
            g.cpu.state.gpr[r] = 0x100 + r;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    for (int r = 0; r < 8; r++)
        CHECK_EQ(g.cpu.state.gpr[r], r == RSP ? GUEST_STACK_AT : 0x100 + r);
    CHECK_EQ(guest_peek32(&g, GUEST_STACK_AT - 20), GUEST_STACK_AT); /* PUSHA pushed ESP as it was */
    CHECK_EQ(guest_peek32(&g, GUEST_STACK_AT - 36), 0x11111111);     /* ENTER: old EBP */
    CHECK_EQ(guest_peek32(&g, GUEST_STACK_AT - 44), GUEST_STACK_AT - 36); /* and its own frame, behind the copied one */
    guest_fini(&g);
}

SNIPPET32(bit_string, "bts %eax, (%ebx)\n mov $-1, %eax\n bts %eax, (%ebx)\n btw %cx, (%ebx)\n setc %dl\n hlt")

static void test_bit_string(void)
{
    start(32, SNIP(bit_string));
    g.cpu.state.gpr[RAX] = 1000;
    g.cpu.state.gpr[RBX] = GUEST_DATA_AT;
    g.cpu.state.gpr[RCX] = 1000;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.ram[GUEST_DATA_AT + 125], 1);
    CHECK_EQ(g.ram[GUEST_DATA_AT - 1], 0x80);
    CHECK_EQ(g.cpu.state.gpr[RDX] & 0xff, 1);
    guest_fini(&g);
}

SNIPPET16(real_mode, "mov 5(%bx,%si), %ax\n mov %ax, -2(%bp,%di)\n xlat\n push %ax\n pop %dx\n jmp 1f\n hlt\n 1: mov 0x10(%ebx,%edx,2), %cx\n hlt")

static void test_real_mode(void)
{
    start(16, SNIP(real_mode));
    g.cpu.state.gpr[RBX] = GUEST_DATA_AT;
    g.cpu.state.gpr[RSI] = 0x8010; /* SI = 8010h: BX + SI + 5 = 15h */
    g.cpu.state.gpr[RBP] = 0x100;
    g.cpu.state.gpr[RDI] = 0x10;
    guest_poke32(&g, 0x15, 0x00000203);
    g.ram[GUEST_DATA_AT + 3] = 0x77;
    guest_poke32(&g, GUEST_DATA_AT + 0x10 + 2 * 0x277, 0xcafe);
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.ram[0x10e], 3);
    CHECK_EQ(g.cpu.state.gpr[RDX] & 0xffff, 0x0277);
    CHECK_EQ(g.cpu.state.gpr[RCX], 0xcafe);
    guest_fini(&g);
}

SNIPPET16(word_at_end, "mov (%bx), %ax\n hlt")

static void test_segment_limit(void)
{
    start(16, SNIP(word_at_end));
    g.cpu.state.gpr[RBX] = 0xffff;
    expect_fault(VEC_GP);
    g.cpu.state.gpr[RBX] = 0xfffe;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    guest_fini(&g);
}

/* --- strings --- */

SNIPPET32(rep_movsb, "rep movsb\n hlt")
SNIPPET32(rep_movsd, "rep movsl\n hlt")
SNIPPET32(std_movsw, "std\n rep movsw\n cld\n hlt")
SNIPPET32(repe_cmpsb, "repe cmpsb\n hlt")
SNIPPET32(repne_scasb, "repne scasb\n hlt")
SNIPPET32(rep_stosd, "rep stosl\n hlt")
SNIPPET32(lods, "lodsb\n lodsw\n lodsl\n hlt")

static void string(const u8 *code, size_t len, u32 esi, u32 edi, u32 ecx)
{
    start(32, code, len);
    for (int k = 0; k < 64; k++)
        g.ram[GUEST_DATA_AT + k] = k + 1;
    g.cpu.state.gpr[RSI] = esi;
    g.cpu.state.gpr[RDI] = edi;
    g.cpu.state.gpr[RCX] = ecx;
    g.cpu.state.gpr[RAX] = 20;
    CHECK_EQ(guest_run(&g), STOP_HLT);
}

static void expect_indices(u32 esi, u32 edi, u32 ecx)
{
    CHECK_EQ(g.cpu.state.gpr[RSI], esi);
    CHECK_EQ(g.cpu.state.gpr[RDI], edi);
    CHECK_EQ(g.cpu.state.gpr[RCX], ecx);
}

static void test_strings(void)
{
    const u32 at = GUEST_DATA_AT;
    string(SNIP(rep_movsb), at, at + 1, 32); /* overlapping: the first byte spreads */
    expect_indices(at + 32, at + 33, 0);
    CHECK_EQ(g.ram[at + 32], 1);
    CHECK_EQ(g.clock.now, 34); /* iterations, the string instruction's own, HLT */
    CHECK_EQ(g.cpu.icount, 2);
    guest_fini(&g);

    string(SNIP(rep_movsd), at, at + 4094, 3); /* across a page */
    expect_indices(at + 12, at + 4106, 0);
    CHECK_EQ(guest_peek32(&g, at + 4102), 0x0c0b0a09);
    guest_fini(&g);

    string(SNIP(rep_movsb), at, at + 100, 0);
    expect_indices(at, at + 100, 0);
    CHECK_EQ(g.clock.now, 2);
    guest_fini(&g);

    string(SNIP(std_movsw), at + 6, at + 8, 4); /* downwards, as memmove would */
    expect_indices(at - 2, at, 0);
    CHECK_EQ(guest_peek32(&g, at + 2), 0x04030201);
    CHECK_EQ(guest_peek32(&g, at + 6), 0x08070605);
    guest_fini(&g);

    string(SNIP(repe_cmpsb), at, at, 10);
    expect_indices(at + 10, at + 10, 0);
    CHECK(g.cpu.state.rflags & FLAG_ZF);
    guest_fini(&g);

    string(SNIP(repe_cmpsb), at, at + 1, 10);
    expect_indices(at + 1, at + 2, 9);
    CHECK_EQ(g.cpu.state.rflags & (FLAG_ZF | FLAG_CF), FLAG_CF);
    guest_fini(&g);

    string(SNIP(repne_scasb), 0, at, 64);
    expect_indices(0, at + 20, 44);
    CHECK_EQ(g.clock.now, 22);
    guest_fini(&g);

    string(SNIP(rep_stosd), 0, at + 2, 3000);
    expect_indices(0, at + 12002, 0);
    CHECK_EQ(guest_peek32(&g, at + 11998), 20);
    CHECK_EQ(guest_peek32(&g, at + 12002), 0);
    CHECK_EQ(g.clock.now, 3002);
    guest_fini(&g);

    string(SNIP(lods), at, 0, 0);
    CHECK_EQ(g.cpu.state.gpr[RAX], 0x07060504);
    expect_indices(at + 7, 0, 0);
    guest_fini(&g);
}

/* A fault in the middle: what was done stays done, and the instruction goes on when run again. */
static void test_string_fault(void)
{
    start(32, SNIP(rep_stosd));
    guest_paging(&g);
    guest_map(&g, GUEST_DATA_AT + PAGE_SIZE, 0, 0);
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT + PAGE_SIZE - 8;
    g.cpu.state.gpr[RCX] = 4;
    g.cpu.icept_exc = BIT(VEC_PF);
    CHECK_EQ(guest_run(&g), STOP_TRAP);
    expect_indices(0, GUEST_DATA_AT + PAGE_SIZE, 2);
    CHECK_EQ(g.cpu.state.rip, GUEST_CODE_AT);
    guest_map(&g, GUEST_DATA_AT + PAGE_SIZE, 0x20000, 7);
    CHECK_EQ(guest_run(&g), STOP_HLT);
    expect_indices(0, GUEST_DATA_AT + PAGE_SIZE + 8, 0);
    CHECK_EQ(g.cpu.icount, 2);
    guest_fini(&g);
}

SNIPPET32(rep_outsb, "rep outsb\n hlt")
SNIPPET32(rep_insd, "rep insl\n hlt")

static void test_string_ports(void)
{
    start(32, SNIP(rep_outsb));
    g.cpu.state.gpr[RSI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RCX] = 5;
    g.cpu.state.gpr[RDX] = 0xe9;
    memcpy(g.ram + GUEST_DATA_AT, "hello", 5);
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(g.outs, 5);
    CHECK_EQ(g.out_value, 'o');
    guest_fini(&g);
    start(32, SNIP(rep_insd));
    g.in_value = 0x12345678;
    g.cpu.state.gpr[RDI] = GUEST_DATA_AT;
    g.cpu.state.gpr[RCX] = 3;
    CHECK_EQ(guest_run(&g), STOP_HLT);
    CHECK_EQ(guest_peek32(&g, GUEST_DATA_AT + 8), 0x12345678);
    expect_indices(0, GUEST_DATA_AT + 12, 0);
    guest_fini(&g);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "rows", test_rows }, { "divide_error", test_divide_error }, { "page_fault", test_page_fault }, { "page_crossing", test_page_crossing },
        { "frames", test_frames }, { "bit_string", test_bit_string }, { "real_mode", test_real_mode }, { "segment_limit", test_segment_limit },
        { "strings", test_strings }, { "string_fault", test_string_fault }, { "string_ports", test_string_ports }, { NULL, NULL },
    };
    return check_main(argc, argv, "cpu integer", tests);
}
