/* SPDX-License-Identifier: MIT */
/*
 * x87 instructions, the short way, ten times as fast: only ST(0) and ST(i) go into the host.
 *
 * It serves the common instructions while all goes well: operands not empty, room for a push, no exception that is
 * unmasked. Otherwise nothing is kept and the long way is gone, which knows every case.
 */
#include "cpu/fpu.h"

#include <stddef.h>
#include <string.h>

#define IO(field) offsetof(struct fpu_io, field)

/* What an instruction needs and leaves. */
enum {
    F_ST0 = 1,      /* reads ST(0) */
    F_STI = 2,      /* reads ST(i) */
    F_PUSH = 4,     /* the result is pushed */
    F_TO_ST0 = 8,   /* writes ST(0) */
    F_TO_STI = 16,  /* writes ST(i), which the pop may rename */
    F_POP = 32,
    F_CC = 64,      /* C0, C2, C3 are its result */
    F_FLAGS = 128,  /* EFLAGS are */
    F_STORE = 256,  /* writes memory */
    F_POP2 = 512,
};
#define ARITH (F_ST0 | F_TO_ST0)
#define ARITH_STI (F_ST0 | F_STI | F_TO_ST0)
#define ARITH_TO_STI (F_ST0 | F_STI | F_TO_STI)
#define COMPARE (F_ST0 | F_CC)
#define STORE (F_ST0 | F_STORE)

/* Memory forms, by opcode - D8h and ModRM.reg. 0: only the long way. */
static const u16 memory_forms[8][8] = {
    { ARITH, ARITH, COMPARE, COMPARE | F_POP, ARITH, ARITH, ARITH, ARITH },         /* m32fp */
    { F_PUSH, 0, STORE, STORE | F_POP, 0, 0, 0, 0 },
    { ARITH, ARITH, COMPARE, COMPARE | F_POP, ARITH, ARITH, ARITH, ARITH },         /* m32int */
    { F_PUSH, STORE | F_POP, STORE, STORE | F_POP, 0, F_PUSH, 0, STORE | F_POP },
    { ARITH, ARITH, COMPARE, COMPARE | F_POP, ARITH, ARITH, ARITH, ARITH },         /* m64fp */
    { F_PUSH, STORE | F_POP, STORE, STORE | F_POP, 0, 0, 0, 0 },
    { ARITH, ARITH, COMPARE, COMPARE | F_POP, ARITH, ARITH, ARITH, ARITH },         /* m16int */
    { F_PUSH, STORE | F_POP, STORE, STORE | F_POP, 0, F_PUSH, 0, STORE | F_POP },
};

/* Register forms with ST(i). D9 (FLD, FXCH), DD (FST) and DF's inherited ones are moves: see try_move(). */
#define COMPARE_STI (F_ST0 | F_STI | F_CC)
#define COMPARE_FLAGS (F_ST0 | F_STI | F_FLAGS)
static const u16 register_forms[8][8] = {
    [0] = { ARITH_STI, ARITH_STI, COMPARE_STI, COMPARE_STI | F_POP, ARITH_STI, ARITH_STI, ARITH_STI, ARITH_STI },
    [3] = { [5] = COMPARE_FLAGS, [6] = COMPARE_FLAGS },
    [4] = { ARITH_TO_STI, ARITH_TO_STI, 0, 0, ARITH_TO_STI, ARITH_TO_STI, ARITH_TO_STI, ARITH_TO_STI },
    [5] = { [4] = COMPARE_STI, [5] = COMPARE_STI | F_POP },
    [6] = { ARITH_TO_STI | F_POP, ARITH_TO_STI | F_POP, 0, 0, ARITH_TO_STI | F_POP, ARITH_TO_STI | F_POP, ARITH_TO_STI | F_POP,
            ARITH_TO_STI | F_POP },
    [7] = { [5] = COMPARE_FLAGS | F_POP, [6] = COMPARE_FLAGS | F_POP },
};

/* D9 E0 .. D9 FF */
static const u16 d9_forms[32] = {
    [0x00] = ARITH /* FCHS */, [0x01] = ARITH /* FABS */, [0x04] = COMPARE /* FTST */, [0x05] = COMPARE /* FXAM */,
    [0x08] = F_PUSH, [0x09] = F_PUSH, [0x0a] = F_PUSH, [0x0b] = F_PUSH, [0x0c] = F_PUSH, [0x0d] = F_PUSH, [0x0e] = F_PUSH, /* constants */
    [0x1a] = ARITH /* FSQRT */, [0x1c] = ARITH /* FRNDINT */,
};

static u16 form_of(u8 opcode, u8 modrm)
{
    unsigned group = opcode & 7, reg = modrm >> 3 & 7;
    if (modrm < 0xc0)
        return memory_forms[group][reg];
    if (group == 1)
        return modrm >= 0xe0 ? d9_forms[modrm - 0xe0] : 0;
    if ((group == 2 && modrm == 0xe9) || (group == 6 && modrm == 0xd9))
        return F_ST0 | F_STI | F_CC | F_POP2;
    return register_forms[group][reg];
}

/* --- the stub --- */

enum { FLD_M80 = 5, FSTP_M80 = 7 };

/* Whatever remains on the host's stack must leave it; results are stored on the way. */
static void emit_unload(struct code *k, u16 form)
{
    unsigned depth = !!(form & (F_ST0 | F_PUSH)) + !!(form & F_STI), popped = form & F_POP2 ? 2 : !!(form & F_POP);
    bool st0_there = !popped && depth;
    if (st0_there && form & (F_TO_ST0 | F_PUSH))
        EMIT_MEM(k, FSTP_M80, IO(st_out[0]), 0xdb);
    else if (st0_there)
        EMIT(k, 0xdd, 0xd8); /* fstp st(0) */
    bool sti_there = form & F_STI && popped < 2;
    if (sti_there && form & F_TO_STI)
        EMIT_MEM(k, FSTP_M80, IO(st_out[1]), 0xdb);
    else if (sti_there)
        EMIT(k, 0xdd, 0xd8);
}

static struct stub *make_stub(struct fpu_unit *u, u64 key, u8 opcode, u8 modrm, u16 form)
{
    struct code k = { .len = 0 };
    EMIT_MEM(&k, 7, IO(host_fcw), 0xd9);        /* fnstcw */
    EMIT_MEM(&k, 7, IO(fsw_before), 0xdd);      /* fnstsw */
    EMIT_MEM(&k, 5, IO(fcw), 0xd9);             /* fldcw */
    if (form & F_STI)
        EMIT_MEM(&k, FLD_M80, IO(st[1]), 0xdb);
    if (form & F_ST0)
        EMIT_MEM(&k, FLD_M80, IO(st[0]), 0xdb);
    if (modrm < 0xc0)
        EMIT_MEM(&k, modrm >> 3 & 7, IO(mem), opcode);
    else
        EMIT(&k, opcode, modrm);
    if (form & F_FLAGS) {
        EMIT(&k, 0x9c);
        EMIT_MEM(&k, 0, IO(flags), 0x8f);
    }
    EMIT_MEM(&k, 7, IO(fsw), 0xdd);             /* fnstsw */
    emit_unload(&k, form);
    EMIT_MEM(&k, 5, IO(host_fcw), 0xd9);        /* fldcw */
    EMIT(&k, 0xc3);
    return stub_add(u, key, &k);
}

/* ST(i) is ST(1) on the host. */
static struct stub *find_stub(struct fpu_unit *u, u8 opcode, u8 modrm, u16 form)
{
    u8 renamed = modrm < 0xc0 ? modrm & 0x38 : form & F_STI ? (modrm & 0xf8) | 1 : modrm;
    u64 key = 0x2000000 | opcode << 8 | renamed;
    struct stub *s = stub_find(u, key);
    return s ? s : make_stub(u, key, opcode, renamed, form);
}

/* --- the register stack in the image: st[] is numbered from the top, tags are by physical register --- */

static bool valid(const struct fpu_state *f, unsigned n) { return f->ftw >> ((x87_top(f) + n) & 7) & 1; }

static void pop_st(struct fpu_state *f)
{
    u8 first[16];
    unsigned top = x87_top(f);
    f->ftw &= ~(1 << top);
    memcpy(first, f->st[0], 16);
    memmove(f->st[0], f->st[1], 7 * 16);
    memcpy(f->st[7], first, 16);
    f->fsw = (f->fsw & ~FSW_TOP) | ((top + 1) & 7) << 11;
}

static void push_st(struct fpu_state *f, const u8 value[16])
{
    unsigned top = (x87_top(f) - 1) & 7;
    memmove(f->st[1], f->st[0], 7 * 16);
    memcpy(f->st[0], value, 10);
    memset(f->st[0] + 10, 0, 6);
    f->ftw |= 1 << top;
    f->fsw = (f->fsw & ~FSW_TOP) | top << 11;
}

/* --- moves between registers: no host needed --- */

static bool try_move(struct fpu_state *f, u8 opcode, u8 modrm)
{
    unsigned n = modrm & 7;
    u8 value[16];
    if (!valid(f, n) && opcode != 0xdd)
        return false;
    memcpy(value, f->st[n], 16);
    if (opcode == 0xd9 && modrm < 0xc8) { /* FLD ST(i) */
        if (valid(f, 7))
            return false;
        push_st(f, value);
    } else if (opcode == 0xd9 && modrm < 0xd0) { /* FXCH */
        if (!valid(f, 0))
            return false;
        memcpy(f->st[n], f->st[0], 16);
        memcpy(f->st[0], value, 16);
    } else if (opcode == 0xdd && modrm >= 0xd0 && modrm < 0xe0) { /* FST, FSTP ST(i) */
        if (!valid(f, 0))
            return false;
        memcpy(f->st[n], f->st[0], 16);
        f->ftw |= 1 << ((x87_top(f) + n) & 7);
        if (modrm >= 0xd8)
            pop_st(f);
    } else {
        return false;
    }
    f->fsw &= ~FSW_C1;
    return true;
}

/* --- the instruction --- */

static bool operands_ready(const struct fpu_state *f, u16 form, unsigned n)
{
    if ((form & F_ST0 && !valid(f, 0)) || (form & F_STI && !valid(f, n)) || (form & F_PUSH && valid(f, 7)))
        return false;
    return !(form & F_TO_STI) || n; /* with ST(0) as both the renaming would not do */
}

/* The host's flags are sticky, also those of earlier instructions. What it had before must be what the guest has anyway, or
 * one could not tell: then clear and run again. */
static void run_stub(struct fpu_io *io, const struct fpu_state *f, stub_fn *run)
{
    const u16 sticky = X87_EXCEPTIONS | FSW_SF;
    run(io);
    if (io->fsw_before & sticky & ~f->fsw) {
        __asm__ volatile("fnclex");
        run(io);
    }
}

static void commit(struct cpu *c, const struct fpu_io *io, u16 form, unsigned n)
{
    struct fpu_state *f = &c->state.fpu;
    u16 cc = FSW_C1 | (form & F_CC ? FSW_C0 | FSW_C2 | FSW_C3 : 0);
    f->fsw = (f->fsw & ~cc) | (io->fsw & cc) | (io->fsw & (X87_EXCEPTIONS | FSW_SF));
    if (form & F_TO_ST0)
        memcpy(f->st[0], io->st_out[0], 10);
    if (form & F_TO_STI)
        memcpy(f->st[n], io->st_out[1], 10);
    if (form & F_PUSH)
        push_st(f, io->st_out[0]);
    if (form & (F_POP | F_POP2))
        pop_st(f);
    if (form & F_POP2)
        pop_st(f);
    if (form & F_FLAGS)
        c->state.rflags = (c->state.rflags & ~(u64)FLAG_STATUS) | (io->flags & FLAG_STATUS);
}

bool x87_try_fast(struct cpu *c, const struct insn *i)
{
    struct fpu_state *f = &c->state.fpu;
    struct fpu_io *io = &c->fpu->io;
    u8 opcode = i->bytes[i->opcode_off], modrm = i->modrm;
    unsigned n = modrm & 7;
    u16 form = form_of(opcode, modrm);
    /* unmasked underflow strikes also when the tiny result is exact, and masked the host does not tell (SDM vol. 1, 4.9.1.5) */
    if (x87_pending(f) || ~f->fcw & X87_UE)
        return false;
    if (!form)
        return modrm >= 0xc0 && try_move(f, opcode, modrm);
    if (!operands_ready(f, form, n))
        return false;
    bool memory = modrm < 0xc0;
    u64 at = memory ? ea_offset(c, i) : 0;
    if (memory && !(form & F_STORE))
        read_operand(c, i->mem.seg, at, io->mem, i->op[0].size);
    if (form & F_ST0)
        memcpy(io->st[0], f->st[0], 16);
    if (form & F_STI)
        memcpy(io->st[1], f->st[n], 16);
    io->fcw = f->fcw | X87_EXCEPTIONS;
    run_stub(io, f, find_stub(c->fpu, opcode, modrm, form)->run);
    if (io->fsw & ~f->fcw & X87_EXCEPTIONS)
        return false;
    if (form & F_STORE)
        write_operand(c, i->mem.seg, at, io->mem, i->op[0].size);
    commit(c, io, form, n);
    return true;
}
