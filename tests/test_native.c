/* SPDX-License-Identifier: MIT */
/*
 * The interpreter against the host's own processor: random instructions of every user-mode row of opcodes.def, from
 * random states, in 32-bit protected mode at CPL 3 with paging on. EMU_CASES sets how many (a million), EMU_SEED which.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>

#include "guest64.h"
#include "native_case.h"

enum { GDT = 0x200000 }; /* the interpreter's */

/* --- Running it --- */

static struct guest guest;

static struct segment flat(u16 selector, u32 code)
{
    return (struct segment){ selector, 0, 0xffffffff,
                             SEG_G | SEG_DB | SEG_P | SEG_DPL | SEG_S | SEG_RW | SEG_ACCESSED | code };
}

static void load_window(const struct test_case *t, u8 *scratch)
{
    memcpy(scratch + (WINDOW - SCRATCH), t->window, WINDOW_SIZE);
}

static void run_native(struct test_case *t)
{
    u8 *scratch = (u8 *)(uintptr_t)SCRATCH;
    load_window(t, scratch);
    native_run(&t->m, t->bytes, t->i.len);
    memcpy(t->window, scratch + (WINDOW - SCRATCH), WINDOW_SIZE);
}

/* As in native_note_vector(): what happens behind the instruction is no more than its end. */
static void note_interp_vector(struct machine *m, const struct cpu *c, word start)
{
    const struct trap *trap = &c->stop.trap;
    bool beyond = (trap->vector == VEC_BP && m->eip != start) ||
                  (trap->vector == VEC_PF && m->eip != start && (word)trap->cr2 == m->eip);
    if (c->stop.kind != STOP_TRAP || beyond)
        return;
    m->vector = trap->vector;
    m->error = trap->has_error ? trap->error : 0;
    m->cr2 = trap->cr2;
    m->eip += trap->type == TRAP_SOFT_EXC || trap->type == TRAP_ICEBP ? trap->insn_len : 0;
}

/* Step until the instruction is over: a string instruction is cut after each iteration. */
static void step_interp(struct cpu *c, word start)
{
    for (unsigned n = 0; n < 100000 && cpu_step(c) == STOP_DEADLINE && c->state.rip == start; n++)
        ;
}

/* Jumps whose target comes from a register or from memory may lead into the scratch pages, which are not executable
 * natively: those are stepped, and so is the rare relative one that leads there. Everything else runs into the INT3s. */
static bool must_step(const struct test_case *t)
{
    static const u16 far[] = { MN_CALLF, MN_JMPF, MN_RETF, MN_IRET, 0 };
    bool relative = t->i.op[0].kind == OPD_REL, leads_there = (word)(t->m.eip + t->i.len + t->i.imm) - SCRATCH < SCRATCH_SIZE;
    return (t->row->class == CLASS_CONTROL && (!relative || leads_there)) || is_mnemonic(t->row->mnemonic, far);
}

static void load_interp(const struct test_case *t)
{
    struct cpu *c = &guest.cpu;
    struct cpu_state *s = &c->state;
    load_window(t, guest.ram + SCRATCH);
    guest_put(&guest, t->m.eip, t->bytes, t->i.len);
    for (unsigned k = 0; k < NATIVE_GPRS; k++)
        s->gpr[k] = t->m.gpr[k];
    s->rip = t->m.eip;
    s->rflags = t->m.eflags;
    s->fpu = t->m.fpu;
    s->seg[SS] = s->seg[DS] = s->seg[ES] = flat(NATIVE_DS, 0);
    s->seg[CS] = flat(NATIVE_BITS == 64 ? NATIVE_CS64 : NATIVE_CS, SEG_CODE);
    if (NATIVE_BITS == 64)
        s->seg[CS].attr ^= SEG_L | SEG_DB;
    s->seg[GS] = (struct segment){ .attr = SEG_UNUSABLE, .base = NATIVE_BITS == 64 ? NATIVE_GS_BASE : 0 };
    s->movss_shadow = 0;
    cpu_state_changed(c);
    c->stop = (struct cpu_stop){ 0 };
}

static void take_interp(struct test_case *t, word start)
{
    const struct cpu_state *s = &guest.cpu.state;
    for (unsigned k = 0; k < NATIVE_GPRS; k++)
        t->m.gpr[k] = s->gpr[k];
    t->m.eip = s->rip;
    t->m.eflags = s->rflags;
    t->m.ds = s->seg[DS].selector;
    t->m.es = s->seg[ES].selector;
    t->m.cs = s->seg[CS].selector;
    t->m.fpu = s->fpu;
    note_interp_vector(&t->m, &guest.cpu, start);
    memcpy(t->window, guest.ram + WINDOW, WINDOW_SIZE);
}

static void run_interp(struct test_case *t, bool step)
{
    word start = t->m.eip;
    u8 filler[INSN_MAX];
    load_interp(t);
    if (step || must_step(t))
        step_interp(&guest.cpu, start);
    else
        cpu_run(&guest.cpu, guest.clock.now + 1000000);
    take_interp(t, start);
    memset(filler, 0xcc, sizeof filler);
    guest_put(&guest, start, filler, t->i.len);
}

/* --- Comparing --- */

/* How far a shift or rotate goes; -1: not one. */
static int shift_count(const struct test_case *in)
{
    static const u16 shifts[] = { MN_ROL, MN_ROR, MN_RCL, MN_RCR, MN_SHL, MN_SHR, MN_SAR, MN_SHLD, MN_SHRD, 0 };
    const struct insn *i = &in->i;
    if (!is_mnemonic(i->mnemonic, shifts))
        return -1;
    const struct operand *o = i->op[2].kind ? &i->op[2] : &i->op[1];
    return (o->kind == OPD_IMM ? i->imm : in->m.gpr[RCX]) & (i->op[0].size == 8 ? 63 : 31);
}

/* The flags that the SDM defines: the row's, and for shifts by count. */
static u32 defined_flags(const struct test_case *in)
{
    static const u16 rotates_through_carry[] = { MN_RCL, MN_RCR, 0 };
    u32 all = FLAG_STATUS | FLAG_DF | FLAG_IF | FLAG_NT | FLAG_ID, defined = all & ~in->row->flags_undefined;
    int count = shift_count(in), bits = in->i.op[0].size * 8;
    if (count < 0)
        return defined;
    if (count == 0 || (is_mnemonic(in->i.mnemonic, rotates_through_carry) && count % (bits + 1) == 0))
        return count == 0 ? all : all & ~FLAG_OF;
    if (count == 1)
        defined |= FLAG_OF;
    if ((in->i.mnemonic == MN_SHL || in->i.mnemonic == MN_SHR) && count >= bits)
        defined &= ~FLAG_CF;
    return defined;
}

/* Where FXSAVE, FNSAVE and FNSTENV store the last instruction's address, opcode and operand: what AMD leaves out unless
 * an exception is pending. */
static void forget_pointers(struct test_case *t, word target)
{
    word offset = target - WINDOW;
    unsigned from, len;
    switch (t->row->mnemonic) {
    case MN_FXSAVE: from = 6; len = 26; break;
    case MN_FNSAVE:
    case MN_FNSTENV: from = t->i.opsize == 2 ? 6 : 12; len = t->i.opsize == 2 ? 8 : 16; break;
    default: return;
    }
    for (unsigned k = offset + from; k < offset + from + len && k < WINDOW_SIZE; k++)
        t->window[k] = 0;
    /* no XMM8 to XMM15 outside of 64-bit mode, and what is reserved */
    const unsigned used = NATIVE_BITS == 64 ? 416 : 288;
    if (t->row->mnemonic == MN_FXSAVE && offset < WINDOW_SIZE - 512)
        memset(t->window + offset + used, 0, 512 - used);
}

#if NATIVE_BITS == 64
#define VSYSCALL 0xffffffffff600000u
/* Does this process, in which the instruction ran, have memory there that the interpreter's guest has not? */
static bool host_maps(u64 gva) { return mincore((void *)(uintptr_t)(gva & PAGE_MASK), 1, &(unsigned char){ 0 }) == 0; }
#endif
static bool is_stack_or_protection(const struct test_case *t) { return t->m.vector == VEC_SS || t->m.vector == VEC_GP; }

/* What the host's processor does by its own design, and we as the SDM says: made equal before comparing. */
static void forgive(struct test_case *a, struct test_case *b)
{
    static const u16 comparisons[] = { MN_FCOMI, MN_FCOMIP, MN_FUCOMI, MN_FUCOMIP, 0 };
    static const u16 conversions[] = {
        MN_CVTPI2PS, MN_CVTPI2PD, MN_CVTPS2PI, MN_CVTPD2PI, MN_CVTTPS2PI, MN_CVTTPD2PI, 0
    };
    static const u16 long_accesses[] = { MN_MASKMOVQ, MN_MASKMOVDQU, MN_FLDENV,  MN_FNSTENV, MN_FRSTOR,
                                         MN_FNSAVE,   MN_FXSAVE,     MN_FXRSTOR, 0 };
    static const u16 aligned[] = { MN_FXSAVE, MN_FXRSTOR, MN_CMPXCHG16B, 0 };
    u16 m = a->row->mnemonic;
    /* an address by SS that is neither canonical nor aligned: which of #SS and #GP is seen first, is each instruction's own on AMD */
    if (NATIVE_BITS == 64 && is_mnemonic(m, aligned) && is_stack_or_protection(a) && is_stack_or_protection(b))
        a->m.vector = b->m.vector;
    /* C1: the SDM clears it, AMD leaves it alone */
    if (is_mnemonic(m, comparisons) && __builtin_cpu_is("amd"))
        a->m.fpu.fsw = (a->m.fpu.fsw & ~0x200) | (b->m.fpu.fsw & 0x200);
    /* the upper half of a pushed segment register: Intel leaves the stack as it was, AMD writes zeros */
    word slot = a->m.gpr[RSP] - WINDOW;
    if (m == MN_PUSH_SREG && a->i.opsize == 4 && !__builtin_cpu_is("amd") && slot < WINDOW_SIZE - 4)
        memcpy(a->window + slot + 2, b->window + slot + 2, 2);
    /* whether the x87 state has become MMX state by then: not said */
    if (is_mnemonic(m, conversions) && a->m.vector == VEC_XM) {
        a->m.fpu.fsw = b->m.fpu.fsw;
        a->m.fpu.ftw = b->m.fpu.ftw;
        memcpy(a->m.fpu.st, b->m.fpu.st, sizeof a->m.fpu.st);
    }
    /* whether an unmasked overflow or underflow is inexact too: AMD does not say */
    if (a->m.vector == VEC_XM && b->m.vector == VEC_XM)
        a->m.fpu.mxcsr |= b->m.fpu.mxcsr & 0x20;
    /* a null selector with an RPL: the host's kernel may have come and gone, and its IRET makes it plain null (SDM vol. 2, IRET) */
    if (a->m.es == 0 && b->m.es < 4)
        a->m.es = b->m.es;
    if (a->m.ds == 0 && b->m.ds < 4)
        a->m.ds = b->m.ds;
    /* MXCSR bit 17, AMD's misaligned SSE mode: a bit that the processor modelled here reserves */
    if (a->m.fpu.mxcsr & 0x20000 && b->m.vector == VEC_GP)
        a->m = b->m;
#if NATIVE_BITS == 64
    /* whether an address beyond the user's half is mapped is what the host's kernel keeps for itself; and the interpreter's GDT is not there
     * on the host */
    if (a->m.vector == VEC_PF && (a->m.cr2 >= BIT(47) - PAGE_SIZE || (a->m.cr2 & PAGE_MASK) == GDT))
        a->m.error = b->m.error;
    /* a jump into the page in which Linux answers calls of old programs (vsyscall) */
    if ((b->m.eip & PAGE_MASK) == VSYSCALL)
        *a = *b;
    /* an address by chance, where this process has something */
    if (b->m.vector == VEC_PF && host_maps(b->m.cr2))
        *a = *b;
    /* IRET to where nothing is, with a stack that is nothing: which of the two is found first? */
    if (m == MN_IRET && a->m.vector == VEC_GP && b->m.vector == VEC_GP && !a->m.error)
        a->m.error = b->m.error;
#endif
    /* which byte is touched first: not said (and addresses that are narrower than the mode's wrap) */
    bool near_enough = a->m.cr2 - b->m.cr2 + PAGE_SIZE < 2 * PAGE_SIZE || a->i.adsize < NATIVE_BITS / 8;
    if (is_mnemonic(m, long_accesses) && near_enough)
        a->m.cr2 = b->m.cr2;
}

static char difference[4000];
static void differs(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void differs(const char *fmt, ...)
{
    va_list ap;
    size_t n = strlen(difference);
    va_start(ap, fmt);
    vsnprintf(difference + n, sizeof difference - n, fmt, ap);
    va_end(ap);
}

static void compare_words(const char *name, u64 in, u64 a, u64 b)
{
    if (a != b)
        differs("\n      %-8s before %llx   processor %llx   interpreter %llx", name, (unsigned long long)in,
                (unsigned long long)a, (unsigned long long)b);
}

static void compare_fpu(const struct fpu_state *in, const struct fpu_state *a, const struct fpu_state *b)
{
    char name[16];
    compare_words("FCW", in->fcw, a->fcw, b->fcw);
    compare_words("FSW", in->fsw, a->fsw, b->fsw);
    compare_words("FTW", in->ftw, a->ftw, b->ftw);
    compare_words("MXCSR", in->mxcsr, a->mxcsr, b->mxcsr);
    for (unsigned k = 0; k < NATIVE_XMMS; k++) {
        u64 w[3][4] = { { 0 } };
        if (k < 8) {
            memcpy(w[0], in->st[k], 10); memcpy(w[1], a->st[k], 10); memcpy(w[2], b->st[k], 10);
        }
        memcpy(w[0] + 2, in->xmm[k], 16); memcpy(w[1] + 2, a->xmm[k], 16); memcpy(w[2] + 2, b->xmm[k], 16);
        for (unsigned h = 0; h < 4; h++) {
            snprintf(name, sizeof name, "%s%u.%u", h < 2 ? "ST/MM" : "XMM", k, h & 1);
            compare_words(name, w[0][h], w[1][h], w[2][h]);
        }
    }
}

static void compare_window(const struct test_case *in, const struct test_case *a, const struct test_case *b)
{
    char name[16];
    for (unsigned k = 0, n = 0; k < WINDOW_SIZE && n < 8; k++)
        if (a->window[k] != b->window[k] && n++ < 8) {
            snprintf(name, sizeof name, "[%x]", WINDOW + k);
            compare_words(name, in->window[k], a->window[k], b->window[k]);
        }
}

static void compare_case(const struct test_case *in, struct test_case *a, struct test_case *b)
{
    static const char *const names[16] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI",
                                             "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15" };
    u32 flags = defined_flags(in);
    *difference = 0;
    forget_pointers(a, in->target);
    forget_pointers(b, in->target);
    forgive(a, b);
    compare_words("vector", in->m.vector, a->m.vector, b->m.vector);
    compare_words("EIP", in->m.eip, a->m.eip, b->m.eip);
    compare_words("EFLAGS", in->m.eflags & flags, a->m.eflags & flags, b->m.eflags & flags);
    for (unsigned k = 0; k < NATIVE_GPRS; k++)
        compare_words(names[k], in->m.gpr[k], a->m.gpr[k], b->m.gpr[k]);
    compare_words("DS", NATIVE_DS, a->m.ds, b->m.ds);
    compare_words("ES", NATIVE_DS, a->m.es, b->m.es);
    compare_words("CS", NATIVE_BITS == 64 ? NATIVE_CS64 : NATIVE_CS, a->m.cs, b->m.cs);
    if (a->m.vector == VEC_PF)
        compare_words("CR2", 0, a->m.cr2, b->m.cr2);
    if (a->m.vector == VEC_PF || (a->m.vector >= VEC_TS && a->m.vector <= VEC_GP))
        compare_words("error", 0, a->m.error, b->m.error);
    if (memcmp(&a->m.fpu, &b->m.fpu, sizeof a->m.fpu) != 0)
        compare_fpu(&in->m.fpu, &a->m.fpu, &b->m.fpu);
    if (memcmp(a->window, b->window, WINDOW_SIZE) != 0)
        compare_window(in, a, b);
}

static void report(const struct test_case *in)
{
    char hex[3 * INSN_MAX + 1] = "", text[100];
    for (unsigned k = 0; k < in->i.len; k++)
        snprintf(hex + 3 * k, 4, "%02x ", in->bytes[k]);
    disassemble(in->bytes, in->i.len, NATIVE_BITS, in->m.eip, text, sizeof text);
    const word *w = in->m.gpr;
    u64 r[8];
    for (unsigned k = 0; k < 8; k++)
        r[k] = w[k];
    /* FPU contents: unchanged ones are not differences, but they matter */
    for (unsigned k = 0; k < 8 && in->row->isa == ISA_FPU; k++)
        differs("\n      ST%u %02x%02x %016llx", k, in->m.fpu.st[k][9], in->m.fpu.st[k][8],
                (unsigned long long)*(const u64 *)in->m.fpu.st[k]);
    if (in->row->isa == ISA_FPU)
        differs("\n      FCW %x FSW %x FTW %x", in->m.fpu.fcw, in->m.fpu.fsw, in->m.fpu.ftw);
    FAIL("%s%s   (row %s %s)\n      eax %" PRIx64 " ecx %" PRIx64 " edx %" PRIx64 " ebx %" PRIx64 " esp %" PRIx64 " ebp %" PRIx64 " esi %" PRIx64 " edi %" PRIx64 " eflags %x operand at %" PRIx64 "%s",
         hex, text, in->row->encoding, mnemonic_names[in->row->mnemonic], r[0], r[1], r[2], r[3], r[4], r[5], r[6],
         r[7], (u32)in->m.eflags, (u64)in->target, difference);
}

/* --- The tests --- */

#if NATIVE_BITS == 64
static void init_guest(void) { guest_init_long(&guest, "core2-64"); }
static void map_page(gva_t gva, unsigned bits) { guest_map64(&guest, gva, bits ? gva : 0, bits); }
#else
static void init_guest(void)
{
    guest_init(&guest, 32);
    guest_paging(&guest);
}
static void map_page(gva_t gva, unsigned bits) { guest_map(&guest, gva, bits ? gva : 0, bits); }
#endif

/* CPL 3, flat segments with Linux's selectors, and the two areas mapped. */
static void set_up_guest(void)
{
    static const u64 user_cs = 0x00cffb000000ffff, user_ds = 0x00cff3000000ffff, user_cs64 = 0x00affb000000ffff; /* as Linux has them */
    struct cpu_state *s = &guest.cpu.state;
    init_guest();
    for (gva_t a = 0; a < GUEST_RAM; a += PAGE_SIZE)
        if (a != NATIVE_CODE && (a < SCRATCH || a >= SCRATCH + SCRATCH_SIZE))
            map_page(a, 0);
    map_page(GDT, 1);
    guest_put(&guest, GDT + (NATIVE_CS & ~7), &user_cs, 8);
    guest_put(&guest, GDT + (NATIVE_DS & ~7), &user_ds, 8);
    guest_put(&guest, GDT + (NATIVE_CS64 & ~7), &user_cs64, 8);
    s->gdtr = (struct dtable){ GDT, 0x7f };
    s->seg[FS] = (struct segment){ .attr = SEG_UNUSABLE };
    s->cr0 |= CR0_MP | CR0_NE;
    s->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->ldtr = (struct segment){ .attr = SEG_UNUSABLE };
    s->tr.limit = 0; /* no I/O bitmap */
    cpu_state_changed(&guest.cpu);
    guest.cpu.icept_exc = ~0u;
    memset(guest.ram + NATIVE_CODE, 0xcc, PAGE_SIZE);
}

static void start_random(u64 seed, u64 n)
{
    rng = seed + n * 0x9e3779b97f4a7c15u;
    rng += !rng;
    random64();
}

/* False, and reported, if the two differ. */
static bool run_case(const struct test_case *in, bool step)
{
    static struct test_case a, b;
    b = a = *in;
    run_native(&a);
    run_interp(&b, step);
    compare_case(in, &a, &b);
    if (!*difference)
        return true;
    report(in);
    memcpy(guest.ram + SCRATCH, (u8 *)(uintptr_t)SCRATCH, SCRATCH_SIZE);
    return false;
}

/* One case of each row in turn; a row that differed is reported once and left out from then on. */
static void run_cases(u64 cases)
{
    static struct { u64 made; bool failed; } rows[2048];
    static struct test_case in;
    u64 seed = check_seed(), made = 0;
    for (u64 n = 0; made < cases && n < 1000 * (cases + opcode_count); n++) {
        unsigned r = n % opcode_count;
        start_random(seed, n);
        if (rows[r].failed || !is_tested(&opcode_rows[r]) || !make_case(&in, &opcode_rows[r]))
            continue;
        made++;
        rows[r].made++;
        rows[r].failed = !run_case(&in, made % 8 == 0);
    }
    CHECK_EQ(made, cases);
    for (unsigned r = 0; r < opcode_count && cases >= 100 * opcode_count; r++)
        if (is_tested(&opcode_rows[r]) && !rows[r].failed && rows[r].made < cases / opcode_count / 20)
            FAIL("row %s %s: only %llu cases", opcode_rows[r].encoding, mnemonic_names[opcode_rows[r].mnemonic],
                 (unsigned long long)rows[r].made);
}

static void test_processor(void)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("the sanitizer's shadow lies where the instructions' addresses must be unmapped");
#endif
    const char *cases = getenv("EMU_CASES");
    if (!native_init() || !native_map(SCRATCH, SCRATCH_SIZE, PROT_READ | PROT_WRITE))
        SKIP("this host cannot run 32-bit code here");
    set_up_guest();
    run_cases(cases ? strtoull(cases, NULL, 0) : NATIVE_BITS == 64 && !getenv("EMU_SOAK") ? 250000 : 1000000);
    guest_fini(&guest);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "processor", test_processor }, { NULL, NULL } };
    return check_main(argc, argv, "native", tests);
}
