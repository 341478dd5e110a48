/* SPDX-License-Identifier: MIT */
/*
 * x87 instructions, the long way: the whole x87 goes into the host with FXRSTOR, the same opcode runs, FXSAVE brings it
 * back. No exception strikes the host, also not an unmasked one: it would only at the next waiting instruction,
 * and FNINIT comes before that (SDM vol. 1, 8.7).
 */
#include "cpu/fpu.h"

#include <stddef.h>
#include <string.h>

void x87_require(struct cpu *c)
{
    if (c->state.cr0 & (CR0_EM | CR0_TS))
        raise_fault(c, VEC_NM);
}

/* Without CR0.NE the error would go out by FERR# to an interrupt controller that is not wired: then it is ignored, as with
 * IGNNE# (SDM vol. 3, 2.5, NE). */
void x87_check_pending(struct cpu *c)
{
    if (unlikely(x87_pending(&c->state.fpu)) && c->state.cr0 & CR0_NE)
        raise_fault(c, VEC_MF);
}

void x87_update_summary(struct fpu_state *f)
{
    f->fsw &= ~(FSW_ES | FSW_B);
    if (x87_pending(f))
        f->fsw |= FSW_ES | FSW_B;
}

/* In real and virtual-8086 mode the pointers are linear; FSTENV's formats there have no selector (SDM vol. 1, 8.1.10). The
 * selector is kept where FXSAVE's 32-bit form has it; of 64-bit code all of the offset is kept in that place. */
static u64 far_pointer(const struct cpu *c, unsigned seg, u64 offset)
{
    const struct segment *s = &c->state.seg[seg];
    if (state_code_bits(&c->state) == 64)
        return offset;
    return (u32)offset | (u64)s->selector << 32;
}

void x87_note(struct cpu *c, const struct insn *i)
{
    struct fpu_state *f = &c->state.fpu;
    f->fop = (i->bytes[i->opcode_off] & 7) << 8 | i->modrm;
    f->fip = far_pointer(c, CS, c->insn_rip);
    if (i->modrm < 0xc0)
        f->fdp = far_pointer(c, i->mem.seg, ea_offset(c, i));
}

void x87_set_top(struct fpu_state *f, unsigned top)
{
    u8 old[8][16];
    unsigned turn = (top - x87_top(f)) & 7;
    memcpy(old, f->st, sizeof old);
    for (unsigned n = 0; n < 8; n++)
        memcpy(f->st[n], old[(n + turn) & 7], 16);
    f->fsw = (f->fsw & ~FSW_TOP) | top << 11;
}

/* --- the stub --- */

#define IO(field) offsetof(struct fpu_io, field)

static struct stub *make_stub(struct fpu_unit *u, u64 key, u8 opcode, u8 modrm)
{
    struct code k = { .len = 0 };
    EMIT_MEM(&k, 3, IO(host_mxcsr), 0x0f, 0xae);        /* stmxcsr */
    EMIT_MEM(&k, 1, IO(image), 0x48, 0x0f, 0xae);       /* fxrstor64 */
    EMIT_MEM(&k, 6, IO(flags), 0xff);                   /* push */
    EMIT(&k, 0x9d);                                     /* popfq */
    if (modrm < 0xc0)
        EMIT_MEM(&k, modrm >> 3 & 7, IO(mem), opcode);
    else
        EMIT(&k, opcode, modrm);
    EMIT(&k, 0x9c);                                     /* pushfq */
    EMIT_MEM(&k, 0, IO(flags), 0x8f);                   /* pop */
    EMIT_MEM(&k, 0, IO(image), 0x48, 0x0f, 0xae);       /* fxsave64 */
    EMIT(&k, 0xdb, 0xe3);                               /* fninit */
    EMIT_MEM(&k, 2, IO(host_mxcsr), 0x0f, 0xae);        /* ldmxcsr */
    EMIT(&k, 0xc3);
    return stub_add(u, key, &k);
}

static struct stub *find_stub(struct fpu_unit *u, const struct insn *i)
{
    u8 opcode = i->bytes[i->opcode_off], modrm = i->modrm < 0xc0 ? i->modrm & 0x38 : i->modrm;
    u64 key = 0x1000000 | opcode << 8 | modrm;
    struct stub *s = stub_find(u, key);
    return s ? s : make_stub(u, key, opcode, modrm);
}

/* --- the instruction --- */

static bool stores(const struct insn *i)
{
    static const u16 mnemonics[] = { MN_FST, MN_FSTP, MN_FIST, MN_FISTP, MN_FISTTP, MN_FBSTP };
    for (unsigned n = 0; n < ARRAY_LEN(mnemonics); n++) {
        if (i->mnemonic == mnemonics[n])
            return i->op[0].kind == OPD_MEM;
    }
    return false;
}

/* Only what the x87 needs goes into the host's image: nothing there can make FXRSTOR fault. */
static void fill_image(struct cpu *c, struct fpu_io *io)
{
    const struct fpu_state *f = &c->state.fpu;
    memset(&io->image, 0, offsetof(struct fpu_state, st));
    io->image.fcw = x87_pending(f) ? f->fcw | X87_EXCEPTIONS : f->fcw;
    io->image.fsw = f->fsw & ~(FSW_ES | FSW_B);
    io->image.ftw = f->ftw;
    io->image.mxcsr = MXCSR_MASKS;
    memcpy(io->image.st, f->st, sizeof f->st);
    io->flags = (c->state.rflags & FLAG_STATUS) | FLAG_FIXED;
}

static void take_image(struct cpu *c, const struct fpu_io *io)
{
    struct fpu_state *f = &c->state.fpu;
    f->fsw = io->image.fsw;
    f->ftw = io->image.ftw;
    memcpy(f->st, io->image.st, sizeof f->st);
    x87_update_summary(f);
    c->state.rflags = (c->state.rflags & ~(u64)FLAG_STATUS) | (io->flags & FLAG_STATUS);
}

/* An unmasked invalid operation, overflow or underflow leaves the destination in memory as it was (SDM vol. 1, 8.5). */
static bool store_suppressed(const struct cpu *c, const struct fpu_io *io)
{
    const struct fpu_state *f = &c->state.fpu;
    return io->image.fsw & ~f->fsw & ~io->image.fcw & (X87_IE | X87_OE | X87_UE);
}

/* Whether the destination may be written is found out in any case, before the exception is noted. */
static void store_result(struct cpu *c, const struct insn *i, const struct fpu_io *io, u64 at)
{
    unsigned size = i->op[0].size;
    if (store_suppressed(c, io))
        lin_probe_write(c, seg_linear(c, i->mem.seg, at, size, true), size, cpl(c) == 3);
    else
        write_operand(c, i->mem.seg, at, io->mem, size);
}

static void run_long(struct cpu *c, const struct insn *i)
{
    struct fpu_io *io = &c->fpu->io;
    bool store = stores(i);
    u64 at = 0;
    if (i->op[0].kind == OPD_MEM) {
        at = ea_offset(c, i);
        if (!store)
            read_operand(c, i->mem.seg, at, io->mem, i->op[0].size);
    }
    fill_image(c, io);
    find_stub(c->fpu, i)->run(io);
    if (store)
        store_result(c, i, io, at);
    take_image(c, io);
}

void exec_x87(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    x87_check_pending(c);
    if (!x87_try_fast(c, i))
        run_long(c, i);
    x87_note(c, i);
}
