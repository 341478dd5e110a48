/* SPDX-License-Identifier: MIT */
/*
 * MMX and SSE instructions: ModRM.reg's register becomes the host's number 0, ModRM.rm's number 1, a memory operand
 * a buffer; then the same opcode runs.
 *
 * Floating-point operations run with every exception masked. If one happened that the guest has unmasked, the result is
 * dropped and #XM raised (SDM vol. 1, 11.5).
 */
#include <stddef.h>
#include <string.h>

#include "cpu/fpu.h"

#define IO(field) offsetof(struct fpu_io, field)

enum { P_FLOAT = 1 /* uses MXCSR */, P_FLAGS = 2 /* writes EFLAGS */, P_UNALIGNED = 4, P_TINY = 8 /* may underflow */ };

/* Four forms of an operation: packed and scalar, single and double. */
#define FORMS(m, p) [MN_##m##PS] = (p), [MN_##m##PD] = (p), [MN_##m##SS] = (p), [MN_##m##SD] = (p)
#define FORMS_PACKED(m, p) [MN_##m##PS] = (p), [MN_##m##PD] = (p)
static const u8 props_of[MN_COUNT] = {
    FORMS(ADD, P_FLOAT | P_TINY), FORMS(SUB, P_FLOAT | P_TINY), FORMS(MUL, P_FLOAT | P_TINY), FORMS(DIV, P_FLOAT | P_TINY),
    FORMS(SQRT, P_FLOAT), FORMS(MIN, P_FLOAT), FORMS(MAX, P_FLOAT), FORMS(CMP, P_FLOAT),
    FORMS_PACKED(ADDSUB, P_FLOAT | P_TINY), FORMS_PACKED(HADD, P_FLOAT | P_TINY), FORMS_PACKED(HSUB, P_FLOAT | P_TINY),
    [MN_CVTPI2PS] = P_FLOAT, [MN_CVTPS2PI] = P_FLOAT, [MN_CVTPD2PI] = P_FLOAT, [MN_CVTTPS2PI] = P_FLOAT, [MN_CVTTPD2PI] = P_FLOAT,
    [MN_CVTSI2SS] = P_FLOAT, [MN_CVTSI2SD] = P_FLOAT, [MN_CVTSS2SI] = P_FLOAT, [MN_CVTSD2SI] = P_FLOAT, [MN_CVTTSS2SI] = P_FLOAT,
    [MN_CVTTSD2SI] = P_FLOAT, [MN_CVTPS2PD] = P_FLOAT, [MN_CVTPD2PS] = P_FLOAT | P_TINY, [MN_CVTSS2SD] = P_FLOAT,
    [MN_CVTSD2SS] = P_FLOAT | P_TINY, [MN_CVTDQ2PS] = P_FLOAT, [MN_CVTPS2DQ] = P_FLOAT, [MN_CVTTPS2DQ] = P_FLOAT,
    [MN_CVTPD2DQ] = P_FLOAT, [MN_CVTTPD2DQ] = P_FLOAT,
    [MN_COMISS] = P_FLOAT | P_FLAGS, [MN_COMISD] = P_FLOAT | P_FLAGS, [MN_UCOMISS] = P_FLOAT | P_FLAGS, [MN_UCOMISD] = P_FLOAT | P_FLAGS,
    [MN_MOVUPS] = P_UNALIGNED, [MN_MOVUPD] = P_UNALIGNED, [MN_MOVDQU] = P_UNALIGNED, [MN_LDDQU] = P_UNALIGNED,
};

/* --- which operand is where: from the letters of opcodes.def --- */

/* 0: ModRM.reg, 1: ModRM.rm, -1: neither. */
static int place_of(char letter)
{
    if (strchr("VPG", letter))
        return 0;
    return strchr("WQUNERM", letter) ? 1 : -1;
}

static void find_operands(const struct insn *i, struct stub *s)
{
    const char *p = i->row->operands;
    s->dest = 2;
    for (unsigned n = 0; *p; n++) {
        int place = place_of(*p);
        if (place >= 0) {
            s->kind[place] = i->op[n].kind;
            s->op[place] = n;
            s->dest = n == 0 ? place : s->dest;
        }
        p += strcspn(p, ",");
        p += *p == ',';
    }
    s->props = props_of[i->mnemonic];
    if (s->props & P_FLAGS)
        s->dest = 2;
}

/* --- the stub --- */

static void emit_move(struct code *k, const struct stub *s, unsigned n, bool store)
{
    switch (s->kind[n]) {
    case OPD_XMM:
        EMIT_MEM(k, n, IO(xmm) + 16 * n, 0x0f, store ? 0x29 : 0x28); /* movaps */
        break;
    case OPD_MMX:
        EMIT_MEM(k, n, IO(mmx) + 8 * n, 0x0f, store ? 0x7f : 0x6f); /* movq */
        break;
    case OPD_GPR:
        EMIT_MEM(k, n, IO(gpr) + 8 * n, 0x48, store ? 0x89 : 0x8b); /* mov */
        break;
    }
}

/* The mandatory prefix and the opcode as the guest has them; a group's extension stays in ModRM.reg. */
static void emit_operation(struct code *k, const struct insn *i, const struct stub *s)
{
    unsigned reg = s->kind[0] == OPD_NONE ? i->modrm >> 3 & 7 : 0;
    u8 prefix = i->repne ? 0xf2 : i->rep ? 0xf3 : 0x66;
    if (i->repne || i->rep || i->opsize_prefix)
        EMIT(k, prefix);
    if (i->rex & 8)
        EMIT(k, 0x48);
    const u8 *opcode = i->bytes + i->opcode_off;
    if (i->modrm < 0xc0)
        emit_mem(k, opcode, i->modrm_off - i->opcode_off, reg, IO(mem));
    else {
        emit(k, opcode, i->modrm_off - i->opcode_off);
        EMIT(k, 0xc1 | reg << 3);
    }
    if (i->imm_size)
        EMIT(k, i->imm);
}

static struct stub *make_stub(struct fpu_unit *u, u64 key, const struct insn *i)
{
    struct stub s = { .key = key };
    struct code k = { .len = 0 };
    find_operands(i, &s);
    bool mmx = s.kind[0] == OPD_MMX || s.kind[1] == OPD_MMX;
    if (s.props & P_FLOAT) {
        EMIT_MEM(&k, 3, IO(host_mxcsr), 0x0f, 0xae);    /* stmxcsr */
        EMIT_MEM(&k, 2, IO(mxcsr), 0x0f, 0xae);         /* ldmxcsr */
    }
    emit_move(&k, &s, 0, false);
    emit_move(&k, &s, 1, false);
    emit_operation(&k, i, &s);
    if (s.props & P_FLAGS) {
        EMIT(&k, 0x9c);                                 /* pushfq */
        EMIT_MEM(&k, 0, IO(flags), 0x8f);               /* pop */
    }
    if (s.dest < 2)
        emit_move(&k, &s, s.dest, true);
    if (s.props & P_FLOAT) {
        EMIT_MEM(&k, 3, IO(mxcsr), 0x0f, 0xae);
        EMIT_MEM(&k, 2, IO(host_mxcsr), 0x0f, 0xae);
    }
    if (mmx)
        EMIT(&k, 0x0f, 0x77);                           /* emms */
    EMIT(&k, 0xc3);
    struct stub *made = stub_add(u, key, &k);
    s.run = made->run;
    *made = s;
    return made;
}

/* All that the stub's bytes depend on: prefix, opcode, register or memory, a group's extension, the immediate. */
static struct stub *find_stub(struct fpu_unit *u, const struct insn *i)
{
    const u8 *at = i->bytes + i->opcode_off;
    u32 opcode = at[0] | at[1] << 8 | (i->modrm_off - i->opcode_off > 2 ? at[2] << 16 : 0);
    unsigned prefix = i->repne ? 3 : i->rep ? 2 : i->opsize_prefix;
    unsigned extension = at[1] >= 0x71 && at[1] <= 0x73 ? i->modrm & 0x38 : 0;
    u64 key = BIT(63) | (u64)opcode << 24 | (u64)(u8)i->imm << 16 | (i->rex & 8) << 10 | prefix << 8 | extension | (i->modrm >= 0xc0);
    struct stub *s = stub_find(u, key);
    return s ? s : make_stub(u, key, i);
}

/* --- checks --- */

/* SDM vol. 3, tables 13-1 and 12-1. Instructions on MMX registers obey the x87's pending exceptions. */
static void require(struct cpu *c, bool xmm, bool mmx)
{
    if (unlikely(c->state.cr0 & CR0_EM || (xmm && !(c->state.cr4 & CR4_OSFXSR))))
        raise_fault(c, VEC_UD);
    if (unlikely(c->state.cr0 & CR0_TS))
        raise_fault(c, VEC_NM);
    if (mmx)
        x87_check_pending(c);
}

static bool has_kind(const struct insn *i, enum operand_kind kind)
{
    return i->op[0].kind == kind || i->op[1].kind == kind;
}

/* Offset of the memory operand; 16-byte ones must be aligned (SDM vol. 1, 4.1.1). */
static u64 memory_operand(struct cpu *c, const struct insn *i, unsigned size, u8 props)
{
    u64 at = ea_offset(c, i);
    bool aligned = size < 16 || props & P_UNALIGNED || !((seg_base(c, i->mem.seg) + at) & 15);
    if (!aligned)
        raise_error(c, VEC_GP, 0);
    return at;
}

/* --- operands in and out --- */

/* Any MMX instruction makes the registers valid and turns the top to 0; the exponents of what it writes become ones (SDM vol. 1,
 * 9.5.1). */
static void enter_mmx(struct fpu_state *f)
{
    if (x87_top(f))
        x87_set_top(f, 0);
    f->ftw = 0xff;
}

static const u8 *mmx_place(const struct fpu_state *f, unsigned reg) { return f->st[(reg - x87_top(f)) & 7]; }

static void load_register(struct cpu *c, const struct insn *i, const struct stub *s, unsigned n, struct fpu_io *io)
{
    unsigned reg = i->op[s->op[n]].reg;
    switch (s->kind[n]) {
    case OPD_XMM: memcpy(io->xmm[n], c->state.fpu.xmm[reg], 16); break;
    case OPD_MMX: memcpy(io->mmx[n], mmx_place(&c->state.fpu, reg), 8); break;
    case OPD_GPR: io->gpr[n] = c->state.gpr[reg]; break;
    }
}

static void store_register(struct cpu *c, const struct insn *i, const struct stub *s, unsigned n, const struct fpu_io *io)
{
    const struct operand *o = &i->op[s->op[n]];
    switch (s->kind[n]) {
    case OPD_XMM:
        memcpy(c->state.fpu.xmm[o->reg], io->xmm[n], 16);
        break;
    case OPD_MMX:
        memcpy(c->state.fpu.st[o->reg], io->mmx[n], 8);
        memset(c->state.fpu.st[o->reg] + 8, 0xff, 2);
        break;
    case OPD_GPR:
        gpr_set(c, o->reg, o->size ? o->size : 4, io->gpr[n]);
        break;
    }
}

/* --- exceptions --- */

static bool denormal_in(const u8 *at, unsigned lanes, bool wide)
{
    for (unsigned n = 0; n < lanes; n++) {
        u64 v = 0;
        memcpy(&v, at + n * (wide ? 8 : 4), wide ? 8 : 4);
        u64 exponent = wide ? v >> 52 & 0x7ff : v >> 23 & 0xff, fraction = wide ? v << 12 : v << 41;
        if (!exponent && fraction)
            return true;
    }
    return false;
}

/* An unmasked underflow strikes also when the tiny result is exact; with the mask on, the host does not report that (SDM
 * vol. 1, 4.9.1.5). */
static u32 exact_underflow(const struct fpu_io *io, const struct insn *i, const struct stub *s)
{
    static const u8 single = 1, scalar = 2;
    const char *type = i->row->operands + 1;
    u8 form = (type[1] == 's' ? single : 0) | (type[0] == 's' ? scalar : 0);
    unsigned lanes = form & scalar ? 1 : form & single ? 4 : 2;
    return s->props & P_TINY && denormal_in(io->xmm[0], lanes, !(form & single)) ? X87_UE : 0;
}

/* What the guest's MXCSR becomes; raises #XM, or #UD if the system does not know it (SDM vol. 3, 6.15, interrupt 19). Before
 * the result is known (invalid, denormal, zero divide) and after: the first kind keeps the second from happening. */
static void settle_exceptions(struct cpu *c, const struct insn *i, const struct stub *s, const struct fpu_io *io)
{
    const u32 before = X87_IE | X87_DE | X87_ZE;
    struct fpu_state *f = &c->state.fpu;
    u32 unmasked = ~f->mxcsr >> 7 & MXCSR_FLAGS, raised = io->mxcsr & MXCSR_FLAGS;
    if (unlikely(unmasked & X87_UE))
        raised |= exact_underflow(io, i, s);
    if (raised & unmasked & before)
        raised &= before;
    f->mxcsr |= raised;
    if (unlikely(raised & unmasked))
        raise_fault(c, c->state.cr4 & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD);
}

/* --- the instruction --- */

void exec_simd(struct cpu *c, const struct insn *i)
{
    struct fpu_io *io = &c->fpu->io;
    bool mmx = has_kind(i, OPD_MMX);
    require(c, has_kind(i, OPD_XMM), mmx);
    const struct stub *s = find_stub(c->fpu, i);
    bool memory = s->kind[1] == OPD_MEM, store = memory && s->dest == 1;
    unsigned size = memory ? i->op[s->op[1]].size : 0;
    u64 at = memory ? memory_operand(c, i, size, s->props) : 0;
    if (memory && !store)
        read_operand(c, i->mem.seg, at, io->mem, size);
    load_register(c, i, s, 0, io);
    load_register(c, i, s, 1, io);
    if (s->props & P_FLOAT)
        io->mxcsr = (c->state.fpu.mxcsr & MXCSR_VALID & ~MXCSR_FLAGS) | MXCSR_MASKS;
    s->run(io);
    if (s->props & P_FLOAT)
        settle_exceptions(c, i, s, io);
    if (store)
        write_operand(c, i->mem.seg, at, io->mem, size);
    if (mmx)
        enter_mmx(&c->state.fpu);
    if (s->dest < 2 && !store)
        store_register(c, i, s, s->dest, io);
    if (s->props & P_FLAGS)
        c->state.rflags = (c->state.rflags & ~(u64)FLAG_STATUS) | (io->flags & FLAG_STATUS);
}

/* Bytes of the first operand whose mask byte has its top bit set go to DS:rDI. */
void exec_maskmov(struct cpu *c, const struct insn *i)
{
    struct fpu_state *f = &c->state.fpu;
    bool mmx = i->op[0].kind == OPD_MMX;
    unsigned size = mmx ? 8 : 16;
    require(c, !mmx, mmx);
    if (mmx)
        enter_mmx(f);
    const u8 *data = mmx ? mmx_place(f, i->op[0].reg) : f->xmm[i->op[0].reg];
    const u8 *mask = mmx ? mmx_place(f, i->op[1].reg) : f->xmm[i->op[1].reg];
    u64 at = gpr_get(c, RDI, i->adsize);
    for (unsigned n = 0; n < size; n++) {
        if (mask[n] & 0x80)
            seg_write(c, i->mem.seg, (at + n) & (i->adsize == 2 ? 0xffff : ~(u64)0), 1, data[n]);
    }
}

void exec_emms(struct cpu *c, const struct insn *i)
{
    require(c, false, true);
    enter_mmx(&c->state.fpu);
    c->state.fpu.ftw = 0;
}
