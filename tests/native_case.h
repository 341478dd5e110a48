/* SPDX-License-Identifier: MIT */
/*
 * A random instruction of a given row of opcodes.def, and a random state that it makes sense in: memory operands lie in
 * a scratch area, mostly; registers, memory and FPU contents are the values that instructions stumble over, mostly.
 */
#ifndef EMU_TESTS_NATIVE_CASE_H
#define EMU_TESTS_NATIVE_CASE_H

#include "check.h"
#include "encode.h"
#include "native.h"

enum {
    SCRATCH = 0x500000,
    SCRATCH_SIZE = 0x2000, /* memory operands and the stack; on both sides of it nothing is mapped */
    WINDOW_SIZE = 0x600,
    WINDOW = SCRATCH + 0x1000 - WINDOW_SIZE / 2, /* random bytes around a page boundary: all that is compared */
};

/* --- What is left out --- */

static const struct { u16 mnemonic; const char *reason; } left_out[] = {
    { MN_CPUID, "another model" }, { MN_RDTSC, "another time" }, { MN_RDTSCP, "another time" }, { MN_RDPMC, "by the host's CR4.PCE" },
    { MN_SYSENTER, "enters the host's kernel" }, { MN_SYSCALL, "enters the host's kernel" }, { MN_INT, "goes through the host's IDT" },
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
    if (o->mnemonic == MN_NOP && strcmp(o->encoding, "0F 0D /r") == 0)
        return false; /* AMD has prefetches of memory there, and nothing of registers */
    if (NATIVE_BITS == 64)
        return o->isa != ISA_VMX && !(o->attr & OPATTR_NO64);
    return o->isa != ISA_64 && o->isa != ISA_VMX && !(o->attr & OPATTR_ONLY64);
}

/* --- A case --- */

struct test_case {
    const struct opcode *row;
    u8 bytes[INSN_MAX];
    struct insn i;          /* i.len is right also when LOCK makes it invalid */
    bool lock_invalid;
    word target;            /* address of the memory operand; 0 without */
    struct machine m;
    u8 window[WINDOW_SIZE];
};

static u64 rng; /* of the case that is being made */
static u64 random64(void) { return check_random(&rng); }
static u32 below(u32 n) { return (u32)(random64() >> 32) % n; }
static bool one_in(u32 n) { return below(n) == 0; }

static u32 random_value32(void)
{
    static const u32 edges[] = { 0,      1,      2,       0x7f,       0x80,       0xff,       0x100,     0x7fff,
                                 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe };
    switch (below(6)) {
    case 0: return edges[below(ARRAY_LEN(edges))];
    case 1: return below(256);
    case 2: return -below(256);
    default: return random64();
    }
}

static word random_value(void)
{
    static const u64 edges[] = { BIT(63), BIT(63) - 1, BIT(47), BIT(47) - 1, -BIT(47), BIT(32), BIT(31) - 1, -BIT(31), -BIT(31) - 1, -1 };
    switch (NATIVE_BITS == 64 ? below(4) : 0) {
    case 0: return random_value32();
    case 1: return (s32)random_value32();
    case 2: return edges[below(ARRAY_LEN(edges))];
    default: return random64();
    }
}

/* --- Floating-point states --- */

/* Numbers of every kind, in the given format: zero, one, denormal, infinity, NaNs, small, and any bits. */
static u32 random_float(void)
{
    static const u32 edges[] = { 0,          0x80000000, 0x3f800000, 1,          0x7f800000, 0xff800000,
                                 0x7fc00000, 0x7f800001, 0x00800000, 0x7f7fffff, 0x4f000000 };
    switch (below(4)) {
    case 0: return edges[below(ARRAY_LEN(edges))];
    case 1: return random64();
    default: return 0x3c000000 + below(0x08000000) + (below(2) << 31);
    }
}

static u64 random_double(void)
{
    static const u64 edges[] = { 0,
                                 0x8000000000000000,
                                 0x3ff0000000000000,
                                 1,
                                 0x7ff0000000000000,
                                 0xfff0000000000000,
                                 0x7ff8000000000000,
                                 0x7ff0000000000001,
                                 0x0010000000000000,
                                 0x7fefffffffffffff,
                                 0x41e0000000000000,
                                 0x43e0000000000000 };
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
    for (unsigned k = 0; k < 8; k++)
        random_extended(f->st[k]);
    for (unsigned k = 0; k < NATIVE_XMMS; k++)
        random_vector(f->xmm[k], 16);
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

static const u16 string_like[] = { MN_MOVS, MN_CMPS, MN_STOS,     MN_LODS,       MN_SCAS, MN_INS,
                                   MN_OUTS, MN_XLAT, MN_MASKMOVQ, MN_MASKMOVDQU, 0 };
/* F2 and F3 make other instructions of these on later processors: TZCNT, LZCNT, and the CET ones */
/* (AMD also reads F3 LOOPNE as LOOPE) */
static const u16 no_repeat[] = { MN_LOOPNE, MN_LOOPE,  MN_LOOP,   MN_BSF,     MN_BSR, MN_NOP,
                                 MN_SFENCE, MN_LFENCE, MN_MFENCE, MN_CLFLUSH, 0 };
static const u16 no_opsize[] = {
    MN_BSWAP /* undefined with 16 bits */, MN_CLFLUSH /* CLFLUSHOPT */, MN_SFENCE, MN_LFENCE, MN_MFENCE, 0
};
/* AMD: LOCK MOV CR0 is CR8 */
static const u16 no_lock[] = { MN_MOV_CR, 0 };

static unsigned random_prefixes(const struct opcode *o, u8 *out)
{
    static const u8 segments[] = { 0x26, 0x2e, 0x36, 0x3e, 0x65 }; /* GS only in 64-bit mode: it has a base of ours there */
    unsigned n = 0;
    bool string = is_mnemonic(o->mnemonic, string_like);
    /* (whether MASKMOV faults when it selects no byte is not said) */
    if (one_in(10) && o->mnemonic != MN_MASKMOVQ && o->mnemonic != MN_MASKMOVDQU)
        out[n++] = segments[below(NATIVE_BITS == 64 ? 5 : 4)];
    /* (near branches of 64-bit mode: Intel ignores the prefix, AMD does not) */
    bool opsize = !is_mnemonic(o->mnemonic, no_opsize) && !(NATIVE_BITS == 64 && o->class == CLASS_CONTROL);
    if (one_in(6) && opsize)
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
    static const u16 selectors[] = {
        NATIVE_CS, NATIVE_DS, NATIVE_BITS == 64 ? NATIVE_CS64 : NATIVE_CS, NATIVE_DS, 0, 3, 0x20, 0x29, 0x7ff3, 0xfff8, 0x0f
    };
    return selectors[below(ARRAY_LEN(selectors))];
}

/* Instructions that take a selector: where in memory it lies (bytes from the operand or ESP, in operand sizes), or in a
 * register. */
static const struct { u16 mnemonic; u8 after; bool on_stack; } selector_users[] = {
    { MN_MOV_SREG, 0, false }, { MN_LAR, 0, false },   { MN_LSL, 0, false },  { MN_VERR, 0, false },
    { MN_VERW, 0, false },     { MN_LDS, 1, false },   { MN_LES, 1, false },  { MN_LSS, 1, false },
    { MN_LGS, 1, false },      { MN_CALLF, 1, false }, { MN_JMPF, 1, false }, { MN_POP_SREG, 0, true },
    { MN_RETF, 1, true },      { MN_IRET, 1, true },
};

static void put_memory(struct test_case *t, word at, const void *bytes, unsigned len);

static void choose_selector(struct test_case *t)
{
    u16 selector = random_selector();
    for (unsigned k = 0; k < ARRAY_LEN(selector_users); k++) {
        if (selector_users[k].mnemonic != t->row->mnemonic)
            continue;
        const struct operand *source = &t->i.op[t->i.op[1].kind ? 1 : 0];
        word at = selector_users[k].on_stack ? t->m.gpr[RSP] : t->target;
        if (source->kind == OPD_GPR)
            t->m.gpr[source->reg] = (t->m.gpr[source->reg] & ~(word)0xffff) | selector;
        else if (source->kind == OPD_FAR)
            memcpy(t->bytes + t->i.imm_off + t->i.imm_size - 2, &selector, 2);
        else
            put_memory(t, at + selector_users[k].after * t->i.opsize, &selector, 2);
    }
    if (NATIVE_BITS == 64 && t->row->mnemonic == MN_IRET && !one_in(4)) { /* pops SS too */
        static const u16 ss = NATIVE_DS;
        put_memory(t, t->m.gpr[RSP] + 4 * t->i.opsize, &ss, 2);
    }
    decode_insn(t->bytes, INSN_MAX, NATIVE_BITS, &t->i);
}

/* AMD has no far pointers with an offset of 64 bits. */
static const u16 far_pointers[] = { MN_LSS, MN_LFS, MN_LGS, MN_CALLF, MN_JMPF, 0 };

/* A REX prefix goes directly before the opcode, behind all others; one that the row itself wants is added to. */
static unsigned add_rex(const struct opcode *o, u8 *b, unsigned n)
{
    unsigned at = 0;
    while (b[at] == 0x66 || b[at] == 0xf2 || b[at] == 0xf3)
        at++;
    bool there = strstr(o->encoding, "REX.") != NULL;
    if (NATIVE_BITS != 64 || (!there && one_in(2)))
        return n;
    if (!there) {
        memmove(b + at + 1, b + at, n - at);
        b[at] = 0x40;
    }
    b[at] |= below(is_mnemonic(o->mnemonic, far_pointers) ? 8 : 16);
    return n + !there;
}

/* Bytes that decode to the wanted row. */
static bool make_bytes(struct test_case *t)
{
    u8 *b = t->bytes;
    unsigned n = random_prefixes(t->row, b), reg = below(8), r = below(8);
    unsigned encoded = encode_row(t->row, r, reg, one_in(3) ? 3 : 0, b + n);
    n += add_rex(t->row, b + n, encoded);
    const char *slash = strchr(t->row->encoding, '/');
    if (slash)
        b[n - 1] = (b[n - 1] & 0x38) | (random64() & 0xc7);
    for (; n < INSN_MAX; n++)
        b[n] = random64() >> 32;
    enum decode_status st = decode_insn(b, INSN_MAX, NATIVE_BITS, &t->i);
    t->lock_invalid = st == DECODE_INVALID && t->i.lock;
    if (t->row->mnemonic == MN_MOV_SREG && t->i.op[0].kind == OPD_SREG && t->i.op[0].reg == FS)
        return false; /* the C library's */
    return t->i.row == t->row && (st == DECODE_OK || t->lock_invalid) && t->i.len <= INSN_MAX;
}

/* Where the memory operand shall be: mostly in the window, aligned or not, sometimes across the end of what is mapped.
 */
static word random_target(const struct test_case *t, unsigned size)
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

static word effective_address(const struct test_case *t)
{
    const struct insn *i = &t->i;
    word base = i->mem.base == -2 ? t->m.eip + i->len : i->mem.base >= 0 ? t->m.gpr[i->mem.base] : 0;
    word at = base + (i->mem.index >= 0 ? t->m.gpr[i->mem.index] * i->mem.scale : 0) + (word)i->mem.disp;
    return i->adsize == 4 ? (u32)at : at;
}

static word linear_address(const struct test_case *t) { return effective_address(t) + (t->i.mem.seg == GS ? NATIVE_GS_BASE : 0); }

/* Choose displacement or registers so that the memory operand lies at t->target; as near as the addressing form allows. An index
 * without a base must be small in 64-bit mode, or no displacement makes up for it. */
static void aim(struct test_case *t)
{
    struct insn *i = &t->i;
    bool rip_relative = i->mem.base == -2, no_base = i->mem.base < 0;
    word *gpr = t->m.gpr, base = rip_relative ? t->m.eip + i->len : 0, at = t->target - (i->mem.seg == GS ? NATIVE_GS_BASE : 0);
    if (NATIVE_BITS == 64 && no_base && i->mem.index >= 0)
        gpr[i->mem.index] = (s64)below(0x10000) - 0x8000;
    word index = i->mem.index >= 0 ? gpr[i->mem.index] * i->mem.scale : 0;
    if (i->disp_size >= 4 && (NATIVE_BITS == 32 || no_base)) {
        u64 disp = at - index - (i->mem.base >= 0 ? gpr[i->mem.base] : base);
        memcpy(t->bytes + i->disp_off, &disp, i->disp_size);
        decode_insn(t->bytes, INSN_MAX, NATIVE_BITS, i);
    } else if (i->mem.base >= 0 && i->mem.base == i->mem.index) {
        gpr[i->mem.base] = (at - (word)i->mem.disp) / (1 + i->mem.scale);
    } else if (i->mem.base >= 0) {
        gpr[i->mem.base] = at - (word)i->mem.disp - index;
    }
    t->target = linear_address(t);
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
    word *gpr = t->m.gpr;
    static const u16 bit_strings[] = { MN_BT, MN_BTS, MN_BTR, MN_BTC, 0 };
    if (is_mnemonic(t->row->mnemonic, string_like)) {
        gpr[RSI] = WINDOW + 0x200 + below(0x200);
        gpr[RDI] = WINDOW + 0x200 + below(0x200);
        gpr[RBX] = WINDOW + 0x200;
        if (!one_in(20))
            gpr[RCX] = below(t->row->mnemonic == MN_XLAT ? 256 : 48);
        if (t->row->class ==
            CLASS_PRIVILEGED) /* REP INS of nothing: AMD checks the privilege first, the SDM's pseudocode does not */
            gpr[RCX] |= 1;
    }
    if (is_mnemonic(t->row->mnemonic, bit_strings) && t->i.op[1].kind == OPD_GPR && !one_in(20))
        gpr[t->i.op[1].reg] = below(4096) - 2048;
    if (t->row->mnemonic == MN_RETF && t->i.imm_size) { /* nor may the stack beyond be missing: AMD looks there first */
        static const u8 imm[] = { 0x20, 0 };
        memcpy(t->bytes + t->i.imm_off, imm, sizeof imm);
        decode_insn(t->bytes, INSN_MAX, NATIVE_BITS, &t->i);
    }
    if (t->row->mnemonic == MN_ENTER) { /* a fault half-way leaves different things behind on different processors */
        static const u8 imm[] = { 0x40, 0 };
        memcpy(t->bytes + t->i.imm_off, imm, sizeof imm);
        decode_insn(t->bytes, INSN_MAX, NATIVE_BITS, &t->i);
        gpr[RBP] = SCRATCH + 0x1000 + below(0x100);
    }
    if (one_in(4)) /* what is divided: small enough for the quotient */
        gpr[RDX] = below(4) ? 0 : -1;
}

/* Bits of memory operands that must not be random. */
static void tame_memory(struct test_case *t)
{
    bool on_stack = t->row->mnemonic == MN_POPF || t->row->mnemonic == MN_IRET;
    word at = on_stack ? t->m.gpr[RSP] : t->target, offset = at - WINDOW;
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

static void put_memory(struct test_case *t, word at, const void *bytes, unsigned len)
{
    if (at >= WINDOW && at - WINDOW + len <= WINDOW_SIZE)
        memcpy(t->window + (at - WINDOW), bytes, len);
}

static void random_operand_memory(struct test_case *t, unsigned size)
{
    word offset = t->target - WINDOW;
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
    for (unsigned k = 0; k < NATIVE_GPRS; k++)
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
    return t->i.op[0].kind == OPD_REL && (word)t->i.imm + t->i.len + 4 < t->i.len + 9u;
}

/* SHLD and SHRD by more than 16 bits leave a word undefined; so does BSF of zero (AMD defines it). */
static bool undefined_result(const struct test_case *t)
{
    const struct insn *i = &t->i;
    if ((i->mnemonic == MN_SHLD || i->mnemonic == MN_SHRD) && i->opsize == 2)
        return ((i->op[2].kind == OPD_IMM ? i->imm : t->m.gpr[RCX]) & 31) > 16;
    return false;
}

/* What 64-bit mode has that cannot be compared: the host's own pages below the end of the user's half, operands half canonical (what
 * comes first?), and GS with an offset that is not canonical where the sum is (AMD looks at the offset too). */
static bool strays(const struct test_case *t, unsigned size)
{
    word ea = effective_address(t), at = linear_address(t), last = at + (size > 16 || size == 1 ? 512 : size) - 1;
    if (NATIVE_BITS != 64)
        return false;
    return at - (BIT(47) - BIT(42)) < BIT(42) - PAGE_SIZE || gva_canonical(at) != gva_canonical(last) || gva_canonical(at) != gva_canonical(ea);
}

/* Jumps and calls from a stack that is nowhere: whether it or the target is looked at first, and what a far one leaves of RSP in
 * compatibility mode, is not said. */
static bool lost_stack(const struct test_case *t)
{
    static const u16 transfers[] = { MN_CALL, MN_CALLF, MN_JMPF, 0 };
    return NATIVE_BITS == 64 && is_mnemonic(t->i.mnemonic, transfers) && t->m.gpr[RSP] - SCRATCH >= SCRATCH_SIZE;
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
    if (size && t->i.adsize >= 4 && !(NATIVE_BITS == 64 && one_in(32))) {
        t->target = random_target(t, size);
        aim(t);
        random_operand_memory(t, size);
    } else if (size && NATIVE_BITS == 64) {
        t->target = linear_address(t);
    }
    tame_memory(t);
    choose_selector(t);
    return !jumps_onto_itself(t) && !undefined_result(t) && !(size && strays(t, size)) && !lost_stack(t);
}

#endif
