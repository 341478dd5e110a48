/* SPDX-License-Identifier: MIT */
/*
 * The interpreter against the host's own processor: random instructions of every user-mode row of opcodes.def, from
 * random states, in 32-bit protected mode at CPL 3 with paging on. EMU_CASES sets how many (a million), EMU_SEED which.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"

#include <stdarg.h>

#include "encode.h"
#include "guestcode.h"
#include "native.h"

enum {
    GDT = 0x200000,                                 /* the interpreter's */
    SCRATCH = 0x500000, SCRATCH_SIZE = 0x2000,      /* memory operands and the stack; on both sides of it nothing is mapped */
    WINDOW_SIZE = 0x600,
    WINDOW = SCRATCH + 0x1000 - WINDOW_SIZE / 2,    /* random bytes around a page boundary: all that is compared */
};

/* --- What is left out --- */

static const struct { u16 mnemonic; const char *reason; } left_out[] = {
    { MN_CPUID, "another model" }, { MN_RDTSC, "another time" }, { MN_RDPMC, "by the host's CR4.PCE" },
    { MN_SYSENTER, "enters the host's kernel" }, { MN_INT, "goes through the host's IDT" },
    { MN_INT1, "hypervisors disagree on whether it is a fault or a trap" },
    { MN_MONITOR, "by the host's MSRs" }, { MN_MWAIT, "by the host's MSRs" },
    { MN_XGETBV, "by the host's CR4.OSXSAVE" }, { MN_XSETBV, "by the host's CR4.OSXSAVE" },
    { MN_SGDT, "by the host's CR4.UMIP" }, { MN_SIDT, "by the host's CR4.UMIP" }, { MN_SLDT, "by the host's CR4.UMIP" },
    { MN_STR, "by the host's CR4.UMIP" }, { MN_SMSW, "by the host's CR4.UMIP" },
    { MN_LFS, "FS is the C library's" },
};

static bool is_tested(const struct opcode *o)
{
    for (unsigned i = 0; i < ARRAY_LEN(left_out); i++)
        if (left_out[i].mnemonic == o->mnemonic)
            return false;
    if (o->mnemonic == MN_POP_SREG && strcmp(o->operands, "FS") == 0)
        return false;
    if (o->isa == ISA_SSSE3 && !__builtin_cpu_supports("ssse3"))
        return false;
    return o->isa != ISA_64 && o->isa != ISA_VMX && !(o->attr & OPATTR_ONLY64);
}

/* --- A case --- */

struct test_case {
    const struct opcode *row;
    u8 bytes[INSN_MAX];
    struct insn i;          /* i.len is right also when LOCK makes it invalid */
    bool lock_invalid;
    u32 target;             /* address of the memory operand; 0 without */
    struct machine m;
    u8 window[WINDOW_SIZE];
};

static u64 rng; /* of the case that is being made */
static u64 random64(void) { return check_random(&rng); }
static u32 below(u32 n) { return (u32)(random64() >> 32) % n; }
static bool one_in(u32 n) { return below(n) == 0; }

static u32 random_value(void)
{
    static const u32 edges[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe };
    switch (below(6)) {
    case 0: return edges[below(ARRAY_LEN(edges))];
    case 1: return below(256);
    case 2: return -below(256);
    default: return random64();
    }
}

/* --- Floating-point states --- */

/* Numbers of every kind, in the given format: zero, one, denormal, infinity, NaNs, small, and any bits. */
static u32 random_float(void)
{
    static const u32 edges[] = { 0, 0x80000000, 0x3f800000, 1, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x00800000, 0x7f7fffff, 0x4f000000 };
    switch (below(4)) {
    case 0: return edges[below(ARRAY_LEN(edges))];
    case 1: return random64();
    default: return 0x3c000000 + below(0x08000000) + (below(2) << 31);
    }
}

static u64 random_double(void)
{
    static const u64 edges[] = { 0, 0x8000000000000000, 0x3ff0000000000000, 1, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
                                 0x7ff0000000000001, 0x0010000000000000, 0x7fefffffffffffff, 0x41e0000000000000, 0x43e0000000000000 };
    switch (below(4)) {
    case 0: return edges[below(ARRAY_LEN(edges))];
    case 1: return random64();
    default: return 0x3f00000000000000 + (random64() >> 8) + (random64() << 63);
    }
}

static void random_extended(u8 *st)
{
    static const u16 exponents[] = { 0, 1, 0x3ffe, 0x3fff, 0x4000, 0x400e, 0x401e, 0x403e, 0x7ffe, 0x7fff };
    u64 mantissa = one_in(3) ? 0 : random64();
    u16 exponent = one_in(4) ? random64() : one_in(2) ? exponents[below(ARRAY_LEN(exponents))] : 0x3ff0 + below(32);
    if (!one_in(8))
        mantissa |= exponent & 0x7fff ? BIT(63) : 0; /* otherwise an unnormal */
    exponent |= below(2) << 15;
    memcpy(st, &mantissa, 8);
    memcpy(st + 8, &exponent, 2);
}

static void random_vector(void *v, unsigned size)
{
    u32 *f = v;
    unsigned kind = below(3);
    for (unsigned k = 0; k < size / 4; k += 2) {
        u64 d = kind == 0 ? random_double() : kind == 1 ? random_float() | (u64)random_float() << 32 : random64();
        memcpy(&f[k], &d, size == 4 ? 4 : 8);
    }
}

/* A control word and a status word; pending: with an unmasked exception that waits. */
static void random_x87_words(struct fpu_state *f, bool pending)
{
    f->fcw = 0x40 | 0x3f | (random64() & 0xf00);
    if (pending || one_in(8))
        f->fcw &= ~below(0x40);
    f->fsw = (random64() & 0x7f00) | (random64() & f->fcw & 0x3f);
    if (pending && ~f->fcw & 0x3f)
        f->fsw |= (~f->fcw & 0x3f) | 0x8080;
    f->ftw = one_in(2) ? 0xff : one_in(4) ? 0 : random64();
}

static void plain_fpu(struct fpu_state *f)
{
    memset(f, 0, sizeof *f);
    f->fcw = 0x37f;
    f->mxcsr = 0x1f80;
    f->mxcsr_mask = 0xffff;
}

static void random_fpu(struct fpu_state *f)
{
    plain_fpu(f);
    random_x87_words(f, one_in(32));
    f->mxcsr = (random64() & 0xe07f) | 0x1f80;
    if (one_in(4))
        f->mxcsr &= 0x1f80 | 0x3f; /* round to nearest, no flushing */
    if (one_in(8))
        f->mxcsr &= ~(below(0x40) << 7);
    for (unsigned k = 0; k < 8; k++) {
        random_extended(f->st[k]);
        random_vector(f->xmm[k], 16);
    }
    if (one_in(3)) /* MMX values, as they are in registers: exponent all ones */
        for (unsigned k = 0; k < 8; k++) {
            random_vector(f->st[k], 8);
            memset(f->st[k] + 8, 0xff, 2);
        }
}

/* --- Making a case --- */

static bool is_mnemonic(u16 m, const u16 *list)
{
    for (; *list; list++)
        if (*list == m)
            return true;
    return false;
}

static const u16 string_like[] = { MN_MOVS, MN_CMPS, MN_STOS, MN_LODS, MN_SCAS, MN_INS, MN_OUTS, MN_XLAT, MN_MASKMOVQ, MN_MASKMOVDQU, 0 };
/* F2 and F3 make other instructions of these on later processors: TZCNT, LZCNT, and the CET ones */
/* (AMD also reads F3 LOOPNE as LOOPE) */
static const u16 no_repeat[] = { MN_LOOPNE, MN_LOOPE, MN_LOOP, MN_BSF, MN_BSR, MN_NOP, MN_SFENCE, MN_LFENCE, MN_MFENCE, MN_CLFLUSH, 0 };
static const u16 no_opsize[] = { MN_BSWAP /* undefined with 16 bits */, MN_CLFLUSH /* CLFLUSHOPT */, MN_SFENCE, MN_LFENCE, MN_MFENCE, 0 };
/* AMD: LOCK MOV CR0 is CR8 */
static const u16 no_lock[] = { MN_MOV_CR, 0 };

static unsigned random_prefixes(const struct opcode *o, u8 *out)
{
    static const u8 segments[] = { 0x26, 0x2e, 0x36, 0x3e };
    unsigned n = 0;
    bool string = is_mnemonic(o->mnemonic, string_like);
    /* (whether MASKMOV faults when it selects no byte is not said) */
    if (one_in(10) && o->mnemonic != MN_MASKMOVQ && o->mnemonic != MN_MASKMOVDQU)
        out[n++] = segments[below(4)];
    if (one_in(6) && !is_mnemonic(o->mnemonic, no_opsize))
        out[n++] = 0x66;
    if (one_in(50) && o->mnemonic != MN_MASKMOVQ && o->mnemonic != MN_MASKMOVDQU)
        out[n++] = 0x67;
    if (one_in(o->attr & OPATTR_LOCK ? 3 : 200) && !is_mnemonic(o->mnemonic, no_lock))
        out[n++] = 0xf0;
    if (one_in(string ? 2 : 100) && !is_mnemonic(o->mnemonic, no_repeat))
        out[n++] = 0xf2 + below(2);
    return n;
}

/* --- Segments: only the kernel's two user segments are the same on every Linux, and what is certainly none --- */

static u16 random_selector(void)
{
    static const u16 selectors[] = { NATIVE_CS, NATIVE_DS, NATIVE_CS, NATIVE_DS, 0, 3, 0x20, 0x29, 0x7ff3, 0xfff8, 0x0f };
    return selectors[below(ARRAY_LEN(selectors))];
}

/* Instructions that take a selector: where in memory it lies (bytes from the operand or ESP, in operand sizes), or in a register. */
static const struct { u16 mnemonic; u8 after; bool on_stack; } selector_users[] = {
    { MN_MOV_SREG, 0, false }, { MN_LAR, 0, false }, { MN_LSL, 0, false }, { MN_VERR, 0, false }, { MN_VERW, 0, false },
    { MN_LDS, 1, false }, { MN_LES, 1, false }, { MN_LSS, 1, false }, { MN_LGS, 1, false }, { MN_CALLF, 1, false }, { MN_JMPF, 1, false },
    { MN_POP_SREG, 0, true }, { MN_RETF, 1, true }, { MN_IRET, 1, true },
};

static void put_memory(struct test_case *t, u32 at, const void *bytes, unsigned len);

static void choose_selector(struct test_case *t)
{
    u16 selector = random_selector();
    for (unsigned k = 0; k < ARRAY_LEN(selector_users); k++) {
        if (selector_users[k].mnemonic != t->row->mnemonic)
            continue;
        const struct operand *source = &t->i.op[t->i.op[1].kind ? 1 : 0];
        u32 at = selector_users[k].on_stack ? t->m.gpr[RSP] : t->target;
        if (source->kind == OPD_GPR)
            t->m.gpr[source->reg] = (t->m.gpr[source->reg] & 0xffff0000) | selector;
        else if (source->kind == OPD_FAR)
            memcpy(t->bytes + t->i.imm_off + t->i.imm_size - 2, &selector, 2);
        else
            put_memory(t, at + selector_users[k].after * t->i.opsize, &selector, 2);
    }
    decode_insn(t->bytes, INSN_MAX, 32, &t->i);
}

/* Bytes that decode to the wanted row. */
static bool make_bytes(struct test_case *t)
{
    u8 *b = t->bytes;
    unsigned n = random_prefixes(t->row, b), reg = below(8), r = below(8);
    n += encode_row(t->row, r, reg, one_in(3) ? 3 : 0, b + n);
    const char *slash = strchr(t->row->encoding, '/');
    if (slash)
        b[n - 1] = (b[n - 1] & 0x38) | (random64() & 0xc7);
    for (; n < INSN_MAX; n++)
        b[n] = random64() >> 32;
    enum decode_status st = decode_insn(b, INSN_MAX, 32, &t->i);
    t->lock_invalid = st == DECODE_INVALID && t->i.lock;
    if (t->row->mnemonic == MN_MOV_SREG && t->i.op[0].kind == OPD_SREG && t->i.op[0].reg == FS)
        return false; /* the C library's */
    return t->i.row == t->row && (st == DECODE_OK || t->lock_invalid) && t->i.len <= INSN_MAX;
}

/* Where the memory operand shall be: mostly in the window, aligned or not, sometimes across the end of what is mapped. */
static u32 random_target(const struct test_case *t, unsigned size)
{
    bool fx = t->row->mnemonic == MN_FXSAVE || t->row->mnemonic == MN_FXRSTOR;
    unsigned room = fx ? 512 : size < 16 ? 16 : size;
    u32 at = WINDOW + below(WINDOW_SIZE - room);
    /* (which of 512 bytes are touched first is not said; and what lies outside of the window is no chosen selector) */
    if (one_in(64) && !fx && t->row->class != CLASS_SENSITIVE)
        at = SCRATCH + SCRATCH_SIZE - below(room);
    else if (one_in(8))
        at = SCRATCH + 0x1000 - below(16);
    return (size == 16 || fx) && !one_in(8) ? at & ~15 : at;
}

/* Choose displacement or registers so that the memory operand lies at t->target; as near as the addressing form allows. */
static void aim(struct test_case *t)
{
    struct insn *i = &t->i;
    u32 *gpr = t->m.gpr, at = t->target, index = i->mem.index >= 0 ? gpr[i->mem.index] * i->mem.scale : 0;
    if (i->disp_size == 4) {
        u32 disp = at - index - (i->mem.base >= 0 ? gpr[i->mem.base] : 0);
        memcpy(t->bytes + i->disp_off, &disp, 4);
        decode_insn(t->bytes, INSN_MAX, 32, i);
    } else if (i->mem.base >= 0 && i->mem.base == i->mem.index) {
        gpr[i->mem.base] = (at - (u32)i->mem.disp) / (1 + i->mem.scale);
    } else if (i->mem.base >= 0) {
        gpr[i->mem.base] = at - (u32)i->mem.disp - index;
    }
    u32 base = i->mem.base >= 0 ? gpr[i->mem.base] : 0;
    index = i->mem.index >= 0 ? gpr[i->mem.index] * i->mem.scale : 0;
    t->target = base + index + (u32)i->mem.disp;
}

static unsigned memory_operand_size(const struct insn *i)
{
    for (unsigned k = 0; k < 4; k++)
        if (i->op[k].kind == OPD_MEM)
            return i->op[k].size ? i->op[k].size : 1;
    return 0;
}

/* Registers that an instruction uses unseen, and operands that would lead it astray. */
static void aim_implied(struct test_case *t)
{
    u32 *gpr = t->m.gpr;
    static const u16 bit_strings[] = { MN_BT, MN_BTS, MN_BTR, MN_BTC, 0 };
    if (is_mnemonic(t->row->mnemonic, string_like)) {
        gpr[RSI] = WINDOW + 0x200 + below(0x200);
        gpr[RDI] = WINDOW + 0x200 + below(0x200);
        gpr[RBX] = WINDOW + 0x200;
        if (!one_in(20))
            gpr[RCX] = below(t->row->mnemonic == MN_XLAT ? 256 : 48);
        if (t->row->class == CLASS_PRIVILEGED) /* REP INS of nothing: AMD checks the privilege first, the SDM's pseudocode does not */
            gpr[RCX] |= 1;
    }
    if (is_mnemonic(t->row->mnemonic, bit_strings) && t->i.op[1].kind == OPD_GPR && !one_in(20))
        gpr[t->i.op[1].reg] = below(4096) - 2048;
    if (t->row->mnemonic == MN_RETF && t->i.imm_size) { /* nor may the stack beyond be missing: AMD looks there first */
        static const u8 imm[] = { 0x20, 0 };
        memcpy(t->bytes + t->i.imm_off, imm, sizeof imm);
        decode_insn(t->bytes, INSN_MAX, 32, &t->i);
    }
    if (t->row->mnemonic == MN_ENTER) { /* a fault half-way leaves different things behind on different processors */
        static const u8 imm[] = { 0x40, 0 };
        memcpy(t->bytes + t->i.imm_off, imm, sizeof imm);
        decode_insn(t->bytes, INSN_MAX, 32, &t->i);
        gpr[RBP] = SCRATCH + 0x1000 + below(0x100);
    }
    if (one_in(4)) /* what is divided: small enough for the quotient */
        gpr[RDX] = below(4) ? 0 : -1;
}

/* Bits of memory operands that must not be random. */
static void tame_memory(struct test_case *t)
{
    bool on_stack = t->row->mnemonic == MN_POPF || t->row->mnemonic == MN_IRET;
    u32 at = on_stack ? t->m.gpr[RSP] : t->target, offset = at - WINDOW;
    if (at < WINDOW || offset + 512 > WINDOW_SIZE)
        return;
    u8 *p = t->window + offset;
    u32 word;
    memcpy(&word, p, 4);
    switch (t->row->mnemonic) {
    case MN_POPF: /* TF and AC would strike in the stub behind the instruction */
        word &= ~(FLAG_TF | FLAG_AC);
        memcpy(p, &word, 4);
        break;
    case MN_IRET: {
        u32 *flags = (u32 *)(p + 2 * t->i.opsize);
        *flags &= ~(FLAG_TF | FLAG_AC);
        break;
    }
    case MN_FXRSTOR: { /* a valid MXCSR, mostly, and a status word that fits the control word */
        struct fpu_state f;
        u32 mxcsr = one_in(8) ? random64() : 0x1f80;
        random_fpu(&f);
        memcpy(p, &f, 512);
        memcpy(p + 24, &mxcsr, 4);
        break;
    }
    case MN_LDMXCSR:
        word = one_in(8) ? word : word & 0xffff;
        memcpy(p, &word, 4);
        break;
    }
}

static void put_memory(struct test_case *t, u32 at, const void *bytes, unsigned len)
{
    if (at >= WINDOW && at - WINDOW + len <= WINDOW_SIZE)
        memcpy(t->window + (at - WINDOW), bytes, len);
}

static void random_operand_memory(struct test_case *t, unsigned size)
{
    u32 offset = t->target - WINDOW;
    u8 *p = t->window + offset;
    if (t->target < WINDOW || offset + 16 > WINDOW_SIZE)
        return;
    if (size == 4 || size == 8 || size == 16)
        random_vector(p, size);
    else if (size == 10)
        random_extended(p);
    else if (t->row->mnemonic == MN_FRSTOR || t->row->mnemonic == MN_FLDENV) {
        struct fpu_state f;
        random_x87_words(&f, one_in(8));
        memcpy(p, &f.fcw, 2);
        memcpy(p + (t->i.opsize == 2 ? 2 : 4), &f.fsw, 2);
    }
}

static void random_registers(struct test_case *t)
{
    for (unsigned k = 0; k < 8; k++)
        t->m.gpr[k] = random_value();
    t->m.gpr[RSP] = SCRATCH + 0x1000 + below(64) - 32;
    /* (accesses across the end of a 4 GiB segment may fault or not: SDM vol. 3, 5.3) */
    t->m.gpr[RBP] = one_in(4) && t->m.gpr[RBP] < 0xfffffff0 ? t->m.gpr[RBP] : SCRATCH + 0x1000 + below(0x200);
    t->m.eflags = FLAG_FIXED | FLAG_IF | (random64() & FLAG_STATUS) | (one_in(4) ? FLAG_DF : 0);
    t->m.eip = NATIVE_CODE + 0x400 + below(0x800);
    t->m.vector = NO_VECTOR;
}

/* A taken jump must not lead back onto the instruction or the jump behind it. */
static bool jumps_onto_itself(const struct test_case *t)
{
    return t->i.op[0].kind == OPD_REL && (u32)t->i.imm + t->i.len + 4 < t->i.len + 9u;
}

/* SHLD and SHRD by more than 16 bits leave a word undefined; so does BSF of zero (AMD defines it). */
static bool undefined_result(const struct test_case *t)
{
    const struct insn *i = &t->i;
    if ((i->mnemonic == MN_SHLD || i->mnemonic == MN_SHRD) && i->opsize == 2)
        return ((i->op[2].kind == OPD_IMM ? i->imm : t->m.gpr[RCX]) & 31) > 16;
    return false;
}

/* Case number n of a seed. False: this attempt did not give the row. */
static bool make_case(struct test_case *t, const struct opcode *row)
{
    t->row = row;
    if (!make_bytes(t))
        return false;
    random_registers(t);
    for (unsigned k = 0; k < WINDOW_SIZE; k += 8) {
        u64 r = random64();
        memcpy(t->window + k, &r, 8);
    }
    if (row->isa >= ISA_CMOV || row->isa == ISA_FPU)
        random_fpu(&t->m.fpu);
    else
        plain_fpu(&t->m.fpu);
    aim_implied(t);
    unsigned size = memory_operand_size(&t->i);
    t->target = 0;
    if (size && t->i.adsize == 4) {
        t->target = random_target(t, size);
        aim(t);
        random_operand_memory(t, size);
    }
    tame_memory(t);
    choose_selector(t);
    return !jumps_onto_itself(t) && !undefined_result(t);
}

/* --- Running it --- */

static struct guest guest;

static struct segment flat(u16 selector, u32 code)
{
    return (struct segment){ selector, 0, 0xffffffff, SEG_G | SEG_DB | SEG_P | SEG_DPL | SEG_S | SEG_RW | SEG_ACCESSED | code };
}

static void load_window(const struct test_case *t, u8 *scratch) { memcpy(scratch + (WINDOW - SCRATCH), t->window, WINDOW_SIZE); }

static void run_native(struct test_case *t)
{
    u8 *scratch = (u8 *)(uintptr_t)SCRATCH;
    load_window(t, scratch);
    native_run(&t->m, t->bytes, t->i.len);
    memcpy(t->window, scratch + (WINDOW - SCRATCH), WINDOW_SIZE);
}

/* As in native_note_vector(): what happens behind the instruction is no more than its end. */
static void note_interp_vector(struct machine *m, const struct cpu *c, u32 start)
{
    const struct trap *trap = &c->stop.trap;
    bool beyond = (trap->vector == VEC_BP && m->eip != start) || (trap->vector == VEC_PF && m->eip != start && (u32)trap->cr2 == m->eip);
    if (c->stop.kind != STOP_TRAP || beyond)
        return;
    m->vector = trap->vector;
    m->error = trap->has_error ? trap->error : 0;
    m->cr2 = trap->cr2;
    m->eip += trap->type == TRAP_SOFT_EXC || trap->type == TRAP_ICEBP ? trap->insn_len : 0;
}

/* Step until the instruction is over: a string instruction is cut after each iteration. */
static void step_interp(struct cpu *c, u32 start)
{
    for (unsigned n = 0; n < 100000 && cpu_step(c) == STOP_DEADLINE && c->state.rip == start; n++)
        ;
}

/* Jumps whose target comes from a register or from memory may lead into the scratch pages, which are not executable
 * natively: those are stepped. Everything else runs into the INT3s. */
static bool must_step(const struct test_case *t)
{
    static const u16 far[] = { MN_CALLF, MN_JMPF, MN_RETF, MN_IRET, 0 };
    return (t->row->class == CLASS_CONTROL && t->i.op[0].kind != OPD_REL) || is_mnemonic(t->row->mnemonic, far);
}

static void run_interp(struct test_case *t, bool step)
{
    struct cpu *c = &guest.cpu;
    struct cpu_state *s = &c->state;
    u32 start = t->m.eip;
    load_window(t, guest.ram + SCRATCH);
    guest_put(&guest, start, t->bytes, t->i.len);
    for (unsigned k = 0; k < 8; k++)
        s->gpr[k] = t->m.gpr[k];
    s->rip = start;
    s->rflags = t->m.eflags;
    s->fpu = t->m.fpu;
    s->seg[SS] = s->seg[DS] = s->seg[ES] = flat(NATIVE_DS, 0);
    s->seg[CS] = flat(NATIVE_CS, SEG_CODE);
    s->seg[GS] = (struct segment){ .attr = SEG_UNUSABLE };
    s->movss_shadow = 0;
    cpu_state_changed(c);
    c->stop = (struct cpu_stop){ 0 };
    if (step || must_step(t))
        step_interp(c, start);
    else
        cpu_run(c, guest.clock.now + 1000000);
    for (unsigned k = 0; k < 8; k++)
        t->m.gpr[k] = s->gpr[k];
    t->m.eip = s->rip;
    t->m.eflags = s->rflags;
    t->m.ds = s->seg[DS].selector;
    t->m.es = s->seg[ES].selector;
    t->m.fpu = s->fpu;
    note_interp_vector(&t->m, c, start);
    memcpy(t->window, guest.ram + WINDOW, WINDOW_SIZE);
    u8 filler[INSN_MAX];
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
    return (o->kind == OPD_IMM ? i->imm : in->m.gpr[RCX]) & 31;
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

/* Where FXSAVE, FNSAVE and FNSTENV store the last instruction's address, opcode and operand: what AMD leaves out unless an exception is pending. */
static void forget_pointers(struct test_case *t, u32 target)
{
    u32 offset = target - WINDOW;
    unsigned from, len;
    switch (t->row->mnemonic) {
    case MN_FXSAVE: from = 6; len = 26; break;
    case MN_FNSAVE:
    case MN_FNSTENV: from = t->i.opsize == 2 ? 6 : 12; len = t->i.opsize == 2 ? 8 : 16; break;
    default: return;
    }
    for (unsigned k = offset + from; k < offset + from + len && k < WINDOW_SIZE; k++)
        t->window[k] = 0;
    if (t->row->mnemonic == MN_FXSAVE && offset < WINDOW_SIZE - 512) /* no XMM8 to XMM15 outside of 64-bit mode, and what is reserved */
        memset(t->window + offset + 288, 0, 224);
}

/* What the host's processor does by its own design, and we as the SDM says: made equal before comparing. */
static void forgive(struct test_case *a, struct test_case *b)
{
    static const u16 comparisons[] = { MN_FCOMI, MN_FCOMIP, MN_FUCOMI, MN_FUCOMIP, 0 };
    static const u16 conversions[] = { MN_CVTPI2PS, MN_CVTPI2PD, MN_CVTPS2PI, MN_CVTPD2PI, MN_CVTTPS2PI, MN_CVTTPD2PI, 0 };
    static const u16 long_accesses[] = { MN_MASKMOVQ, MN_MASKMOVDQU, MN_FLDENV, MN_FNSTENV, MN_FRSTOR, MN_FNSAVE, MN_FXSAVE, MN_FXRSTOR, 0 };
    u16 m = a->row->mnemonic;
    if (is_mnemonic(m, comparisons) && __builtin_cpu_is("amd")) /* C1: the SDM clears it, AMD leaves it alone */
        a->m.fpu.fsw = (a->m.fpu.fsw & ~0x200) | (b->m.fpu.fsw & 0x200);
    if (is_mnemonic(m, conversions) && a->m.vector == VEC_XM) { /* whether the x87 state has become MMX state by then: not said */
        a->m.fpu.fsw = b->m.fpu.fsw;
        a->m.fpu.ftw = b->m.fpu.ftw;
        memcpy(a->m.fpu.st, b->m.fpu.st, sizeof a->m.fpu.st);
    }
    if (a->m.vector == VEC_XM && b->m.vector == VEC_XM) /* whether an unmasked overflow or underflow is inexact too: AMD does not say */
        a->m.fpu.mxcsr |= b->m.fpu.mxcsr & 0x20;
    if (is_mnemonic(m, long_accesses) && a->m.cr2 - b->m.cr2 + PAGE_SIZE < 2 * PAGE_SIZE) /* which byte is touched first is not said */
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
        differs("\n      %-8s before %llx   processor %llx   interpreter %llx", name, (unsigned long long)in, (unsigned long long)a, (unsigned long long)b);
}

static void compare_fpu(const struct fpu_state *in, const struct fpu_state *a, const struct fpu_state *b)
{
    char name[16];
    compare_words("FCW", in->fcw, a->fcw, b->fcw);
    compare_words("FSW", in->fsw, a->fsw, b->fsw);
    compare_words("FTW", in->ftw, a->ftw, b->ftw);
    compare_words("MXCSR", in->mxcsr, a->mxcsr, b->mxcsr);
    for (unsigned k = 0; k < 8; k++) {
        u64 w[3][4] = { { 0 } };
        memcpy(w[0], in->st[k], 10); memcpy(w[1], a->st[k], 10); memcpy(w[2], b->st[k], 10);
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
    static const char *const names[8] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
    u32 flags = defined_flags(in);
    *difference = 0;
    forget_pointers(a, in->target);
    forget_pointers(b, in->target);
    forgive(a, b);
    compare_words("vector", in->m.vector, a->m.vector, b->m.vector);
    compare_words("EIP", in->m.eip, a->m.eip, b->m.eip);
    compare_words("EFLAGS", in->m.eflags & flags, a->m.eflags & flags, b->m.eflags & flags);
    for (unsigned k = 0; k < 8; k++)
        compare_words(names[k], in->m.gpr[k], a->m.gpr[k], b->m.gpr[k]);
    compare_words("DS", NATIVE_DS, a->m.ds, b->m.ds);
    compare_words("ES", NATIVE_DS, a->m.es, b->m.es);
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
    disassemble(in->bytes, in->i.len, 32, in->m.eip, text, sizeof text);
    const u32 *r = in->m.gpr;
    for (unsigned k = 0; k < 8 && in->row->isa == ISA_FPU; k++) /* FPU contents: unchanged ones are not differences, but they matter */
        differs("\n      ST%u %02x%02x %016llx", k, in->m.fpu.st[k][9], in->m.fpu.st[k][8], (unsigned long long)*(const u64 *)in->m.fpu.st[k]);
    if (in->row->isa == ISA_FPU)
        differs("\n      FCW %x FSW %x FTW %x", in->m.fpu.fcw, in->m.fpu.fsw, in->m.fpu.ftw);
    FAIL("%s%s   (row %s %s)\n      eax %x ecx %x edx %x ebx %x esp %x ebp %x esi %x edi %x eflags %x operand at %x%s", hex, text, in->row->encoding,
         mnemonic_names[in->row->mnemonic], r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], in->m.eflags, in->target, difference);
}

/* --- The tests --- */

/* CPL 3, flat segments with Linux's selectors, and the two areas mapped. */
static void set_up_guest(void)
{
    static const u64 user_cs = 0x00cffb000000ffff, user_ds = 0x00cff3000000ffff; /* as Linux has them */
    struct cpu_state *s = &guest.cpu.state;
    guest_init(&guest, 32);
    guest_paging(&guest);
    for (gva_t a = 0; a < GUEST_RAM; a += PAGE_SIZE)
        if (a != NATIVE_CODE && (a < SCRATCH || a >= SCRATCH + SCRATCH_SIZE))
            guest_map(&guest, a, 0, 0);
    guest_map(&guest, GDT, GDT, 1);
    guest_put(&guest, GDT + (NATIVE_CS & ~7), &user_cs, 8);
    guest_put(&guest, GDT + (NATIVE_DS & ~7), &user_ds, 8);
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
            FAIL("row %s %s: only %llu cases", opcode_rows[r].encoding, mnemonic_names[opcode_rows[r].mnemonic], (unsigned long long)rows[r].made);
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
    run_cases(cases ? strtoull(cases, NULL, 0) : 1000000);
    guest_fini(&guest);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "processor", test_processor }, { NULL, NULL } };
    return check_main(argc, argv, "native", tests);
}
