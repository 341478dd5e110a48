/* SPDX-License-Identifier: MIT */
/*
 * x87, MMX, SSE. The referee for results is the host itself: every instruction of the table runs on random operands once as a
 * guest and once straight on the host with its whole state loaded, and the states must be equal.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>

#include "guestcode.h"
#include "cpu/decode.h"

static void fpu_guest(struct guest *g)
{
    guest_init(g, 32);
    g->cpu.state.cr0 |= CR0_NE;
    g->cpu.state.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    g->cpu.state.fpu.fcw = 0x37f;
    g->cpu.state.fpu.ftw = 0;
    cpu_state_changed(&g->cpu);
}

/* --- the host as reference --- */

struct ref {
    struct fpu_state image;
    u64 gpr[2], flags, mxcsr_host;
    u8 mem[512];
} __attribute__((aligned(64)));

static u8 *ref_page;

static void ref_start(void)
{
    ref_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ref_page == MAP_FAILED)
        exit(1);
}

static u8 *put(u8 *p, const char *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}
#define PUT(p, literal) put((p), (literal), sizeof(literal) - 1)

/* Run `insn`, whose memory operand is [rsi], with rdi = &r->image, rsi = r->mem; eax, ecx and the flags from and to *r. */
static void ref_run(struct ref *r, const u8 *insn, unsigned n)
{
    _Static_assert(offsetof(struct ref, gpr) == 512, "displacements below");
    u8 *p = ref_page;
    p = PUT(p, "\x0f\xae\x9f\x18\x02\x00\x00");             /* stmxcsr [rdi+536] */
    p = PUT(p, "\x48\x0f\xae\x0f");                         /* fxrstor64 [rdi] */
    p = PUT(p, "\xff\xb7\x10\x02\x00\x00\x9d");             /* push [rdi+528]; popfq */
    p = PUT(p, "\x48\x8b\x87\x00\x02\x00\x00");             /* mov rax, [rdi+512] */
    p = PUT(p, "\x48\x8b\x8f\x08\x02\x00\x00");             /* mov rcx, [rdi+520] */
    p = put(p, (const char *)insn, n);
    p = PUT(p, "\x48\x89\x87\x00\x02\x00\x00");
    p = PUT(p, "\x48\x89\x8f\x08\x02\x00\x00");
    p = PUT(p, "\x9c\x8f\x87\x10\x02\x00\x00");             /* pushfq; pop [rdi+528] */
    p = PUT(p, "\x48\x0f\xae\x07");                         /* fxsave64 [rdi] */
    p = PUT(p, "\xdb\xe3\x0f\xae\x97\x18\x02\x00\x00\xc3"); /* fninit; ldmxcsr; ret */
    ((void (*)(struct ref *, u8 *))ref_page)(r, r->mem);
}

/* --- random operands: not too wild, so that results are numbers often enough --- */

static u64 seed;

static void random_extended(u8 st[16])
{
    static const long double some[] = { 0.0L, -0.0L, 1.0L, -1.5L, 3.14159265358979323846L, 1e300L, 1e-320L, 1e4000L, 123456789.0L, -0.75L };
    long double v = some[check_random(&seed) % ARRAY_LEN(some)];
    u64 kind = check_random(&seed) % 8;
    if (kind < 4)
        v = (long double)(s64)check_random(&seed) / (long double)(1 + check_random(&seed) % 100000);
    memset(st, 0, 16);
    memcpy(st, &v, 10);
    if (kind == 7)
        for (int i = 0; i < 10; i++)
            st[i] = check_random(&seed); /* anything: NaN, unnormal, denormal */
}

static void random_bytes(void *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ((u8 *)p)[i] = check_random(&seed);
}

static void random_vector(u8 xmm[16], unsigned kind)
{
    double d[2];
    float f[4];
    for (int i = 0; i < 2; i++)
        d[i] = (double)(s64)check_random(&seed) / (double)(1 + check_random(&seed) % 1000);
    for (int i = 0; i < 4; i++)
        f[i] = (float)(s32)check_random(&seed) / (float)(1 + check_random(&seed) % 1000);
    memcpy(xmm, kind & 1 ? (void *)d : (void *)f, 16);
    if (kind % 4 == 0)
        random_bytes(xmm, 16);
}

static void random_state(struct fpu_state *f, bool unmasked)
{
    memset(f, 0, sizeof *f);
    f->fcw = 0x40 | (check_random(&seed) & 0xf00) | (unmasked ? check_random(&seed) & 0x3f : 0x3f);
    if ((f->fcw & 0x300) == 0x100)
        f->fcw |= 0x300;
    f->fsw = check_random(&seed) & 0x7f00;
    f->ftw = check_random(&seed) % 4 ? (check_random(&seed) | check_random(&seed)) & ~(1 << (((f->fsw >> 11) - 1) & 7)) : check_random(&seed);
    f->mxcsr = 0x1f80 | (check_random(&seed) & 0x6000) | (check_random(&seed) % 4 ? 0 : check_random(&seed) & 0x8040);
    f->mxcsr_mask = 0xffff;
    for (int i = 0; i < 8; i++)
        random_extended(f->st[i]);
    for (int i = 0; i < 8; i++)
        random_vector(f->xmm[i], check_random(&seed));
}

/* --- one instruction, both ways --- */

static unsigned ran;

/* bytes: prefixes and opcode; then modrm. memory: the operand is in memory, modrm's reg field alone counts. */
static bool same_both_ways(struct guest *g, const u8 *opcode, unsigned n, u8 modrm, bool memory, int imm, bool unmasked)
{
    struct ref r;
    u8 insn[16], host[16];
    struct cpu_state *s = &g->cpu.state;
    unsigned len = n;
    memset(&r, 0, sizeof r);
    random_state(&r.image, unmasked);
    random_extended(r.mem);
    if (check_random(&seed) & 1)
        random_vector(r.mem, check_random(&seed));
    r.gpr[0] = (u32)check_random(&seed);
    r.gpr[1] = (u32)check_random(&seed);
    r.flags = (check_random(&seed) & FLAG_STATUS) | 2;
    s->fpu = r.image;
    s->gpr[RAX] = r.gpr[0];
    s->gpr[RCX] = r.gpr[1];
    s->rflags = r.flags;
    s->rip = GUEST_CODE_AT;
    guest_put(g, GUEST_DATA_AT, r.mem, 16);
    memcpy(insn, opcode, n);
    memcpy(host, opcode, n);
    insn[len] = memory ? (modrm & 0x38) | 5 : modrm;
    host[len++] = memory ? (modrm & 0x38) | 6 : modrm;
    unsigned hlen = len;
    if (memory) {
        u32 at = GUEST_DATA_AT;
        memcpy(insn + len, &at, 4);
        len += 4;
    }
    if (imm >= 0) {
        insn[len++] = imm;
        host[hlen++] = imm;
    }
    guest_put(g, GUEST_CODE_AT, insn, len);
    check_context("%02x %02x %02x %02x %02x memory=%d", insn[0], insn[1], insn[2], insn[3], insn[4], memory);
    enum cpu_stop_kind why = cpu_step(&g->cpu);
    if (!check_true(why == STOP_DEADLINE && s->rip == GUEST_CODE_AT + len, "it retires", __FILE__, __LINE__))
        return false;
    ref_run(&r, host, hlen);
    ran++;
    /* FCOMI and its kin clear C1 (SDM vol. 2); not every host does */
    bool comi = (opcode[0] & 0xfb) == 0xdb && modrm >= 0xe8 && modrm < 0xf8;
    u16 defined = comi ? ~0x200 : ~0;
    bool same = CHECK_EQ(s->fpu.fsw & defined, r.image.fsw & defined) & CHECK_EQ(s->fpu.ftw, r.image.ftw) & CHECK_EQ(s->fpu.mxcsr, r.image.mxcsr) &
                CHECK_EQ(s->gpr[RAX], r.gpr[0]) & CHECK_EQ(s->gpr[RCX], r.gpr[1]) & CHECK_EQ(s->rflags & FLAG_STATUS, r.flags & FLAG_STATUS);
    for (int i = 0; i < 8; i++)
        same &= check_true(!memcmp(s->fpu.st[i], r.image.st[i], 10), "same ST or MM", __FILE__, __LINE__) &
                check_true(!memcmp(s->fpu.xmm[i], r.image.xmm[i], 16), "same XMM", __FILE__, __LINE__);
    same &= check_true(!memcmp(g->ram + GUEST_DATA_AT, r.mem, 16), "same memory", __FILE__, __LINE__);
    return same;
}

/* D9 /4../7, DD /4 /6 /7, DB E0.., DF E0, and what does not decode: not for this test. */
static bool x87_generic(u8 opcode, u8 modrm)
{
    u8 bytes[16] = { opcode, modrm };
    struct insn i;
    static const u16 control[] = { MN_FLDENV, MN_FLDCW, MN_FNSTENV, MN_FNSTCW, MN_FRSTOR, MN_FNSAVE, MN_FNSTSW, MN_FNINIT, MN_FNCLEX };
    if (decode_insn(bytes, sizeof bytes, 32, &i) != DECODE_OK)
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(control); n++)
        if (i.mnemonic == control[n])
            return false;
    return true;
}

static void x87_both_ways(bool unmasked)
{
    struct guest g;
    seed = check_seed();
    ref_start();
    fpu_guest(&g);
    for (int round = 0; round < 12; round++)
        for (unsigned opcode = 0xd8; opcode <= 0xdf; opcode++)
            for (unsigned modrm = 0; modrm < 256; modrm += modrm < 0xc0 && (modrm & 0x38) != 0x38 ? 8 : modrm < 0xc0 ? 0xc0 - modrm : 1) {
                u8 bytes[1] = { opcode };
                if (x87_generic(opcode, modrm < 0xc0 ? modrm | 5 : modrm) &&
                    !same_both_ways(&g, bytes, 1, modrm, modrm < 0xc0, -1, unmasked))
                    round = 100;
            }
    check_context(NULL);
    guest_fini(&g);
}

static void test_x87_masked(void) { x87_both_ways(false); }
static void test_x87_unmasked(void) { x87_both_ways(true); }

/* --- every MMX and SSE row --- */

/* "66 0F 58 /r" to bytes; false for what is not of that simple form. */
static bool encode(const char *text, u8 *bytes, unsigned *n, u8 *modrm)
{
    unsigned value;
    *n = 0;
    *modrm = 0;
    for (const char *p = text; *p; p += strcspn(p, " "), p += *p == ' ') {
        if (p[0] == '/')
            *modrm = p[1] == 'r' ? 0 : (p[1] - '0') << 3;
        else if (!strncmp(p, "NP", 2))
            continue;
        else if (!strncmp(p, "REX", 3) || sscanf(p, "%2x", &value) != 1 || p[2] == '+')
            return false;
        else
            bytes[(*n)++] = value;
    }
    return strchr(text, '/') != NULL;
}

static bool is_vector_row(const struct opcode *o)
{
    static const u16 not[] = { MN_FXSAVE, MN_FXRSTOR, MN_LDMXCSR, MN_STMXCSR, MN_MASKMOVQ, MN_MASKMOVDQU, MN_FISTTP };
    for (unsigned n = 0; n < ARRAY_LEN(not); n++)
        if (o->mnemonic == not[n])
            return false;
    return o->isa >= ISA_MMX && o->isa <= ISA_SSSE3 && o->isa != ISA_FXSR && o->cost != COST_PLAIN && strpbrk(o->operands, "PQNVWU");
}

/* Approximations: equal on equal hosts, so the reference still holds. */
static void vector_row(struct guest *g, const struct opcode *o)
{
    u8 bytes[8], modrm;
    unsigned n;
    bool gpr = strpbrk(o->operands, "GER") != NULL, imm = strstr(o->operands, "Ib") != NULL;
    bool no_memory = strpbrk(o->operands, "NUR") && !strchr(o->operands, '/'), only_memory = strchr(o->operands, 'M') && !strchr(o->operands, '/');
    if (!encode(o->encoding, bytes, &n, &modrm))
        return;
    for (int round = 0; round < 8; round++) {
        bool memory = only_memory || (!no_memory && round & 1);
        u8 m = memory ? modrm : modrm | 0xc0 | (gpr ? 1 : check_random(&seed) & 7);
        if (strstr(o->encoding, "/r") && !gpr)
            m |= (check_random(&seed) & 7) << 3;
        if (!same_both_ways(g, bytes, n, m, memory, imm ? (int)(check_random(&seed) & (gpr ? 7 : 255)) : -1, false))
            break;
    }
}

static void test_vectors(void)
{
    struct guest g;
    unsigned rows = 0;
    seed = check_seed();
    ran = 0;
    ref_start();
    fpu_guest(&g);
    for (unsigned i = 0; i < opcode_count; i++)
        if (is_vector_row(&opcode_rows[i])) {
            vector_row(&g, &opcode_rows[i]);
            rows++;
        }
    check_context(NULL);
    CHECK(rows > 200);
    CHECK_EQ(ran, rows * 8);
    guest_fini(&g);
}

/* --- against the compiler's own arithmetic --- */

static void test_program(void)
{
    struct guest g;
    double x = 1.0 / 3, y = 2.5;
    fpu_guest(&g);
    memcpy(g.ram + 0x8000, &x, 8);
    memcpy(g.ram + 0x8008, &y, 8);
    /* fld [8000]; fmul [8008]; fld st0; fsqrt; faddp; fstp [8010]; movsd xmm0, [8000]; divsd xmm0, [8008]; movsd [8018], xmm0; hlt */
    GUEST_CODE(&g, "\xdd\x05\x00\x80\x00\x00" "\xdc\x0d\x08\x80\x00\x00" "\xd9\xc0" "\xd9\xfa" "\xde\xc1" "\xdd\x1d\x10\x80\x00\x00"
                   "\xf2\x0f\x10\x05\x00\x80\x00\x00" "\xf2\x0f\x5e\x05\x08\x80\x00\x00" "\xf2\x0f\x11\x05\x18\x80\x00\x00" "\xf4");
    CHECK_EQ(guest_run(&g), STOP_HLT);
    long double p = (long double)x * y;
    double sum = (double)(p + sqrtl(p)), quotient = x / y, got[2];
    memcpy(got, g.ram + 0x8010, 16);
    CHECK(got[0] == sum);
    CHECK(got[1] == quotient);
    CHECK_EQ(g.cpu.state.fpu.ftw, 0);
    guest_fini(&g);
}

/* --- exceptions --- */

static const u8 OP_FADD[] = { 0xd8, 0x05, 0, 0x80, 0, 0 }, OP_WAIT[] = { 0x9b }, OP_FNSTSW[] = { 0xdf, 0xe0 }, OP_FLD[] = { 0xd9, 0xe8 };
static const u8 OP_MMX[] = { 0x0f, 0xef, 0xc0 }, OP_SSE[] = { 0x0f, 0x57, 0xc0 }, OP_EMMS[] = { 0x0f, 0x77 };
static const u8 OP_FXSAVE[] = { 0x0f, 0xae, 0x05, 0, 0x80, 0, 0 }, OP_LDMXCSR[] = { 0x0f, 0xae, 0x15, 0, 0x80, 0, 0 };

/* Step over one instruction with all exceptions intercepted; its vector, or 255 for none. */
static unsigned step(struct guest *g, const u8 *insn, unsigned len)
{
    guest_put(g, GUEST_CODE_AT, insn, len);
    g->cpu.state.rip = GUEST_CODE_AT;
    g->cpu.icept_exc = ~0u;
    if (cpu_step(&g->cpu) != STOP_TRAP)
        return 255;
    CHECK_EQ(g->cpu.state.rip, GUEST_CODE_AT);
    return g->cpu.stop.trap.vector;
}
#define STEP(g, op) step((g), (op), sizeof(op))

/* SDM vol. 3, table 2-2 and the "exceptions" of each instruction */
static void test_control_bits(void)
{
    enum { NONE = 255 };
    static const struct { u32 cr0, cr4; u8 x87, wait, mmx, sse, fxsave, ldmxcsr; } row[] = {
        { 0, CR4_OSFXSR, NONE, NONE, NONE, NONE, NONE, NONE },
        { CR0_TS, CR4_OSFXSR, VEC_NM, NONE, VEC_NM, VEC_NM, VEC_NM, VEC_NM },
        { CR0_MP, CR4_OSFXSR, NONE, NONE, NONE, NONE, NONE, NONE },
        { CR0_TS | CR0_MP, CR4_OSFXSR, VEC_NM, VEC_NM, VEC_NM, VEC_NM, VEC_NM, VEC_NM },
        { CR0_EM, CR4_OSFXSR, VEC_NM, NONE, VEC_UD, VEC_UD, VEC_NM, VEC_UD },
        { CR0_EM | CR0_TS, CR4_OSFXSR, VEC_NM, NONE, VEC_UD, VEC_UD, VEC_NM, VEC_UD },
        { 0, 0, NONE, NONE, NONE, VEC_UD, NONE, VEC_UD },
    };
    struct guest g;
    fpu_guest(&g);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("row %u", i);
        g.cpu.state.cr0 = CR0_PE | CR0_ET | CR0_NE | row[i].cr0;
        g.cpu.state.cr4 = row[i].cr4;
        cpu_state_changed(&g.cpu);
        guest_poke32(&g, GUEST_DATA_AT, 0x1f80);
        CHECK_EQ(STEP(&g, OP_FLD), row[i].x87);
        CHECK_EQ(STEP(&g, OP_FNSTSW), row[i].x87);
        CHECK_EQ(STEP(&g, OP_WAIT), row[i].wait);
        CHECK_EQ(STEP(&g, OP_MMX), row[i].mmx);
        CHECK_EQ(STEP(&g, OP_EMMS), row[i].mmx);
        CHECK_EQ(STEP(&g, OP_SSE), row[i].sse);
        CHECK_EQ(STEP(&g, OP_LDMXCSR), row[i].ldmxcsr);
        CHECK_EQ(STEP(&g, OP_FXSAVE), row[i].fxsave);
    }
    check_context(NULL);
    guest_fini(&g);
}

/* An unmasked error strikes at the next waiting instruction, and the operands are still there. */
static void test_mf(void)
{
    static const u8 fdiv[] = { 0xd8, 0xf1 }, fnclex[] = { 0xdb, 0xe2 };
    struct guest g;
    fpu_guest(&g);
    g.cpu.state.fpu.fcw = 0x37b; /* ZE */
    static const u8 fldz[] = { 0xd9, 0xee };
    CHECK_EQ(STEP(&g, fldz), 255);
    CHECK_EQ(STEP(&g, OP_FLD), 255);
    CHECK_EQ(STEP(&g, fdiv), 255);
    CHECK_EQ(g.cpu.state.fpu.fsw & 0x80ff, 0x8084); /* B, ES, ZE */
    CHECK_EQ(g.cpu.state.fpu.st[0][9], 0x3f);       /* still 1.0 */
    CHECK_EQ(STEP(&g, OP_FNSTSW), 255);
    CHECK_EQ(STEP(&g, OP_FADD), VEC_MF);
    CHECK_EQ(STEP(&g, OP_WAIT), VEC_MF);
    CHECK_EQ(STEP(&g, OP_MMX), VEC_MF);
    CHECK_EQ(STEP(&g, OP_SSE), 255);
    g.cpu.state.cr0 &= ~(u64)CR0_NE; /* no #MF then: the error would go out by FERR# */
    CHECK_EQ(STEP(&g, OP_FADD), 255);
    CHECK_EQ(STEP(&g, fdiv), 255);
    g.cpu.state.cr0 |= CR0_NE;
    CHECK_EQ(STEP(&g, fnclex), 255);
    CHECK_EQ(STEP(&g, OP_WAIT), 255);
    guest_fini(&g);
}

static void set_floats(struct guest *g, float a, float b)
{
    float x[4] = { a }, y[4] = { b };
    memcpy(g->cpu.state.fpu.xmm[0], x, 16);
    memcpy(g->cpu.state.fpu.xmm[1], y, 16);
}

/* #XM: the destination stays, the flags say why; those found after the operation only if nothing stopped it before. */
static void test_xm(void)
{
    static const u8 addss[] = { 0xf3, 0x0f, 0x58, 0xc1 }, divss[] = { 0xf3, 0x0f, 0x5e, 0xc1 }, mulss[] = { 0xf3, 0x0f, 0x59, 0xc1 };
    static const struct { const u8 *insn; float a, b; u32 unmask, flags; bool strikes; } row[] = {
        { divss, 1, 0, 0x04, 0x04, true },
        { divss, 1, 0, 0x01, 0x04, false },
        { divss, 0, 0, 0x01, 0x01, true },
        { divss, 1, 3, 0x20, 0x20, true },
        { addss, 1, 1, 0x3f, 0x00, false },
        { mulss, 3e38f, 10, 0x08, 0x28, true },
        { mulss, 1e-30f, 1e-12f, 0x10, 0x30, true },
        { mulss, 1e-30f, 1e-12f, 0x00, 0x30, false },
        { mulss, 0x1p-100f, 0x1p-30f, 0x10, 0x10, true },   /* tiny and exact: only if unmasked */
        { mulss, 0x1p-100f, 0x1p-30f, 0x00, 0x00, false },
        { mulss, 1e-42f, 2, 0x02, 0x02, true },             /* denormal operand */
        { addss, 1e-42f, 1, 0x02, 0x02, true },             /* and no precision flag, as nothing was added */
    };
    struct guest g;
    fpu_guest(&g);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("row %u", i);
        u8 before[16];
        set_floats(&g, row[i].a, row[i].b);
        memcpy(before, g.cpu.state.fpu.xmm[0], 16);
        g.cpu.state.fpu.mxcsr = 0x1f80 & ~(row[i].unmask << 7);
        CHECK_EQ(step(&g, row[i].insn, 4), row[i].strikes ? VEC_XM : 255);
        CHECK_EQ(g.cpu.state.fpu.mxcsr & 0x3f, row[i].flags);
        CHECK_EQ(!memcmp(before, g.cpu.state.fpu.xmm[0], 16), row[i].strikes);
    }
    check_context(NULL);
    set_floats(&g, 1, 0);
    g.cpu.state.fpu.mxcsr = 0;
    g.cpu.state.cr4 &= ~(u64)CR4_OSXMMEXCPT;
    CHECK_EQ(STEP(&g, ((const u8[]){ 0xf3, 0x0f, 0x5e, 0xc1 })), VEC_UD);
    guest_fini(&g);
}

static void test_alignment(void)
{
    static const struct { u8 insn[9], len; bool faults; } row[] = {
        { { 0x0f, 0x28, 0x05, 4, 0x80, 0, 0 }, 7, true },           /* movaps */
        { { 0x0f, 0x10, 0x05, 4, 0x80, 0, 0 }, 7, false },          /* movups */
        { { 0x66, 0x0f, 0x6f, 0x05, 4, 0x80, 0, 0 }, 8, true },     /* movdqa */
        { { 0xf3, 0x0f, 0x6f, 0x05, 4, 0x80, 0, 0 }, 8, false },    /* movdqu */
        { { 0x66, 0x0f, 0x7f, 0x05, 4, 0x80, 0, 0 }, 8, true },
        { { 0x0f, 0x58, 0x05, 4, 0x80, 0, 0 }, 7, true },           /* addps */
        { { 0xf3, 0x0f, 0x58, 0x05, 4, 0x80, 0, 0 }, 8, false },    /* addss */
        { { 0x0f, 0xae, 0x05, 8, 0x80, 0, 0 }, 7, true },           /* fxsave */
        { { 0x0f, 0xae, 0x0d, 8, 0x80, 0, 0 }, 7, true },           /* fxrstor */
    };
    struct guest g;
    fpu_guest(&g);
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        check_context("row %u", i);
        CHECK_EQ(step(&g, row[i].insn, row[i].len), row[i].faults ? VEC_GP : 255);
    }
    check_context(NULL);
    guest_fini(&g);
}

/* --- images --- */

static void test_mxcsr_reserved(void)
{
    static const u8 fxrstor[] = { 0x0f, 0xae, 0x0d, 0, 0x80, 0, 0 };
    struct guest g;
    fpu_guest(&g);
    guest_poke32(&g, GUEST_DATA_AT, 0x10000);
    CHECK_EQ(STEP(&g, OP_LDMXCSR), VEC_GP);
    guest_poke32(&g, GUEST_DATA_AT, 0x1f3f);
    CHECK_EQ(STEP(&g, OP_LDMXCSR), 255);
    CHECK_EQ(g.cpu.state.fpu.mxcsr, 0x1f3f);
    guest_poke32(&g, GUEST_DATA_AT + 24, 0x10000);
    CHECK_EQ(STEP(&g, fxrstor), VEC_GP);
    guest_poke32(&g, GUEST_DATA_AT + 24, 0x1f80);
    guest_poke32(&g, GUEST_DATA_AT, 0xffffffff); /* any FCW and FSW go */
    CHECK_EQ(STEP(&g, fxrstor), 255);
    CHECK_EQ(g.cpu.state.fpu.fcw, 0x1f7f);
    g.cpu.state.fpu.mxcsr = 0xffffffff; /* a hostile state reaches no host instruction unchecked */
    g.cpu.state.fpu.mxcsr_mask = 0;
    CHECK_EQ(STEP(&g, ((const u8[]){ 0x0f, 0x58, 0xc1 })), 255);
    CHECK_EQ(STEP(&g, ((const u8[]){ 0xd9, 0xff })), 255);
    guest_fini(&g);
}

static void test_fxsave(void)
{
    static const u8 fxrstor[] = { 0x0f, 0xae, 0x0d, 0, 0x80, 0, 0 };
    struct guest g;
    struct fpu_state image;
    seed = check_seed();
    fpu_guest(&g);
    random_state(&g.cpu.state.fpu, false);
    struct fpu_state before = g.cpu.state.fpu;
    memset(g.ram + 0x8000, 0xee, 512);
    CHECK_EQ(STEP(&g, OP_FXSAVE), 255);
    memcpy(&image, g.ram + 0x8000, sizeof image);
    CHECK_EQ(image.fcw, before.fcw);
    CHECK_EQ(image.fsw, before.fsw);
    CHECK_EQ(image.ftw, before.ftw);
    CHECK(!memcmp(image.xmm, before.xmm, 8 * 16));
    CHECK_EQ(image.xmm[8][0], 0xee); /* outside 64-bit mode the upper eight are left alone */
    memset(&g.cpu.state.fpu, 0, sizeof g.cpu.state.fpu);
    CHECK_EQ(STEP(&g, fxrstor), 255);
    CHECK(!memcmp(&g.cpu.state.fpu, &before, offsetof(struct fpu_state, mxcsr_mask)));
    CHECK(!memcmp(g.cpu.state.fpu.st, before.st, sizeof before.st + 8 * 16));
    guest_fini(&g);
}

/* FNSAVE and FRSTOR, both sizes: the state comes back, and in between there is FNINIT's. */
static void test_fsave(void)
{
    static const u8 save32[] = { 0xdd, 0x35, 0, 0x80, 0, 0 }, load32[] = { 0xdd, 0x25, 0, 0x80, 0, 0 };
    static const u8 save16[] = { 0x66, 0xdd, 0x35, 0, 0x80, 0, 0 }, load16[] = { 0x66, 0xdd, 0x25, 0, 0x80, 0, 0 };
    seed = check_seed();
    for (int wide = 0; wide < 2; wide++) {
        struct guest g;
        fpu_guest(&g);
        random_state(&g.cpu.state.fpu, false);
        struct fpu_state before = g.cpu.state.fpu;
        check_context("%s", wide ? "32-bit" : "16-bit");
        CHECK_EQ(wide ? STEP(&g, save32) : STEP(&g, save16), 255);
        CHECK_EQ(g.cpu.state.fpu.fcw, 0x37f);
        CHECK_EQ(g.cpu.state.fpu.fsw, 0);
        CHECK_EQ(g.cpu.state.fpu.ftw, 0);
        CHECK_EQ(*(u16 *)(g.ram + 0x8000), before.fcw);
        CHECK(!memcmp(g.ram + 0x8000 + (wide ? 28 : 14), before.st[0], 10));
        CHECK_EQ(wide ? STEP(&g, load32) : STEP(&g, load16), 255);
        CHECK_EQ(g.cpu.state.fpu.fsw, before.fsw);
        CHECK_EQ(g.cpu.state.fpu.ftw, before.ftw);
        for (int i = 0; i < 8; i++)
            CHECK(!memcmp(g.cpu.state.fpu.st[i], before.st[i], 10));
        guest_fini(&g);
    }
    check_context(NULL);
}

/* Tags and pointers of FNSTENV, which masks all exceptions afterwards. */
static void test_fstenv(void)
{
    static const u8 fld[] = { 0xdd, 0x05, 0, 0x81, 0, 0 }, fstenv[] = { 0xd9, 0x35, 0, 0x80, 0, 0 }, fldz[] = { 0xd9, 0xee };
    struct guest g;
    double x = INFINITY;
    fpu_guest(&g);
    g.cpu.state.fpu.fcw = 0x340;
    memcpy(g.ram + 0x8100, &x, 8);
    CHECK_EQ(STEP(&g, fldz), 255);
    CHECK_EQ(STEP(&g, OP_FLD), 255);
    CHECK_EQ(STEP(&g, fld), 255);
    CHECK_EQ(STEP(&g, fstenv), 255);
    CHECK_EQ(guest_peek32(&g, 0x8000), 0xffff0340);
    CHECK_EQ(guest_peek32(&g, 0x8004) & 0x3800, 5 << 11);
    CHECK_EQ(guest_peek32(&g, 0x8008), 0xffff0000 | 0x4bff | 0 << 12); /* 7: zero, 6: valid, 5: special, rest empty */
    CHECK_EQ(guest_peek32(&g, 0x800c), GUEST_CODE_AT);
    CHECK_EQ(guest_peek32(&g, 0x8010), 0x05050008 & 0x07ffffff);
    CHECK_EQ(guest_peek32(&g, 0x8014), 0x8100);
    CHECK_EQ(guest_peek32(&g, 0x8018) & 0xffff, 0x10);
    CHECK_EQ(g.cpu.state.fpu.fcw, 0x37f);
    guest_fini(&g);
}

/* A fault on the store leaves the stack unpopped; one page of two is missing. */
static void test_store_fault(void)
{
    static const u8 fstp[] = { 0xdb, 0x3d, 0xfc, 0x9f, 0, 0 }, movups[] = { 0x0f, 0x11, 0x05, 0xf8, 0x9f, 0, 0 };
    struct guest g;
    fpu_guest(&g);
    guest_paging(&g);
    guest_map(&g, 0xa000, 0, 0);
    CHECK_EQ(STEP(&g, OP_FLD), 255);
    guest_poke32(&g, 0x9ffc, 0x12345678);
    CHECK_EQ(STEP(&g, fstp), VEC_PF);
    CHECK_EQ(g.cpu.stop.trap.cr2, 0xa000);
    CHECK_EQ(g.cpu.stop.trap.error, 2);
    CHECK_EQ(guest_peek32(&g, 0x9ffc), 0x12345678);
    CHECK_EQ(g.cpu.state.fpu.ftw, 0x80);
    CHECK_EQ(STEP(&g, movups), VEC_PF);
    CHECK_EQ(guest_peek32(&g, 0x9ffc), 0x12345678);
    guest_fini(&g);
}

static void test_maskmov(void)
{
    static const u8 insn[] = { 0x66, 0x0f, 0xf7, 0xc1 }; /* maskmovdqu xmm0, xmm1 */
    struct guest g;
    fpu_guest(&g);
    g.cpu.state.gpr[RDI] = 0x8000;
    memset(g.ram + 0x8000, 0x11, 16);
    memset(g.cpu.state.fpu.xmm[0], 0x22, 16);
    memset(g.cpu.state.fpu.xmm[1], 0, 16);
    g.cpu.state.fpu.xmm[1][3] = 0x80;
    g.cpu.state.fpu.xmm[1][15] = 0xff;
    CHECK_EQ(STEP(&g, insn), 255);
    CHECK_EQ(guest_peek32(&g, 0x8000), 0x22111111);
    CHECK_EQ(guest_peek32(&g, 0x800c), 0x22111111);
    guest_fini(&g);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "x87_masked", test_x87_masked }, { "x87_unmasked", test_x87_unmasked }, { "vectors", test_vectors }, { "program", test_program },
        { "control_bits", test_control_bits }, { "mf", test_mf }, { "xm", test_xm }, { "alignment", test_alignment },
        { "mxcsr_reserved", test_mxcsr_reserved }, { "fxsave", test_fxsave }, { "fsave", test_fsave }, { "fstenv", test_fstenv },
        { "store_fault", test_store_fault }, { "maskmov", test_maskmov }, { NULL, NULL },
    };
    return check_main(argc, argv, "cpu fpu", tests);
}
