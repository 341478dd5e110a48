/* SPDX-License-Identifier: MIT */
/* The FPU's own state: control words, the environment, and its images in memory (SDM vol. 1, 8.1 and 10.5). */
#include <string.h>

#include "cpu/fpu.h"

/* --- control and status words. Those with N in their name do not look at pending exceptions (SDM vol. 1, 8.3.11). --- */

static void init(struct fpu_state *f)
{
    x87_set_top(f, 0);
    f->fcw = 0x37f;
    f->fsw = 0;
    f->ftw = 0;
    f->fop = 0;
    f->fip = f->fdp = 0;
}

void exec_fninit(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    init(&c->state.fpu);
}

void exec_fnclex(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    c->state.fpu.fsw &= ~(X87_EXCEPTIONS | FSW_SF | FSW_ES | FSW_B);
}

void exec_fnstcw(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    seg_write(c, i->mem.seg, ea_offset(c, i), 2, c->state.fpu.fcw);
}

static void set_fcw(struct fpu_state *f, u16 value)
{
    f->fcw = (value & 0x1f3f) | 0x40; /* bit 6 reads as one, the others that are reserved as zero */
    x87_update_summary(f);
}

void exec_fldcw(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    x87_check_pending(c);
    set_fcw(&c->state.fpu, seg_read(c, i->mem.seg, ea_offset(c, i), 2));
}

void exec_fnstsw(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    if (i->op[0].kind == OPD_MEM)
        seg_write(c, i->mem.seg, ea_offset(c, i), 2, c->state.fpu.fsw);
    else
        gpr_set(c, RAX, 2, c->state.fpu.fsw);
}

void exec_fnop(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    x87_check_pending(c);
}

/* FNENI, FNDISI, FNSETPM: of use to the 8087 and 80287 only. */
void exec_obsolete(struct cpu *c, const struct insn *i) { x87_require(c); }

void exec_wait(struct cpu *c, const struct insn *i)
{
    if ((c->state.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
        raise_fault(c, VEC_NM);
    x87_check_pending(c);
}

/* --- FSTENV's full tags (SDM vol. 1, figure 8-7) from contents --- */

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned tag_of(const u8 st[16])
{
    u64 mantissa;
    u16 exponent;
    memcpy(&mantissa, st, 8);
    memcpy(&exponent, st + 8, 2);
    exponent &= 0x7fff;
    if (!exponent && !mantissa)
        return TAG_ZERO;
    return !exponent || exponent == 0x7fff || !(mantissa >> 63) ? TAG_SPECIAL : TAG_VALID; /* also pseudo-denormals */
}

static u16 full_tags(const struct fpu_state *f)
{
    u16 tags = 0;
    for (unsigned r = 0; r < 8; r++) {
        unsigned tag = f->ftw >> r & 1 ? tag_of(f->st[(r - x87_top(f)) & 7]) : TAG_EMPTY;
        tags |= tag << 2 * r;
    }
    return tags;
}

static u8 abridged_tags(u16 full)
{
    u8 tags = 0;
    for (unsigned r = 0; r < 8; r++)
        tags |= ((full >> 2 * r & 3) != TAG_EMPTY) << r;
    return tags;
}

/* --- the environment: 14 or 28 bytes, with selectors in protected mode, linear otherwise (SDM vol. 1, 8.1.10) --- */

static bool by_selector(const struct cpu *c) { return !state_real(&c->state) && !state_v86(&c->state); }
static unsigned env_size(unsigned opsize) { return opsize == 2 ? 14 : 28; }
static unsigned env_opsize(const struct insn *i) { return i->opsize == 2 ? 2 : 4; } /* no 64-bit form */

/* The seven fields of the environment, each one slot of the image. */
enum { ENV_CW, ENV_SW, ENV_TW, ENV_IP, ENV_CS, ENV_DP, ENV_DS, ENV_FIELDS };

static u32 linear(u64 pointer) { return (u32)pointer + ((u32)(pointer >> 32 & 0xffff) << 4); }

static void env_fields(const struct cpu *c, u32 field[ENV_FIELDS], unsigned opsize)
{
    const struct fpu_state *f = &c->state.fpu;
    u32 hole = opsize == 4 ? 0xffff0000 : 0; /* the upper halves of 16-bit fields read as ones */
    field[ENV_CW] = f->fcw | hole;
    field[ENV_SW] = f->fsw | hole;
    field[ENV_TW] = full_tags(f) | hole;
    if (by_selector(c)) {
        field[ENV_IP] = f->fip;
        field[ENV_CS] = (f->fip >> 32 & 0xffff) | (opsize == 4 ? (f->fop & 0x7ff) << 16 : 0);
        field[ENV_DP] = f->fdp;
        field[ENV_DS] = (f->fdp >> 32 & 0xffff) | hole;
    } else {
        u32 ip = linear(f->fip), dp = linear(f->fdp);
        field[ENV_IP] = (ip & 0xffff);
        field[ENV_CS] = opsize == 4 ? (ip >> 16) << 12 | (f->fop & 0x7ff) : (ip >> 16 & 0xf) << 12 | (f->fop & 0x7ff);
        field[ENV_DP] = (dp & 0xffff);
        field[ENV_DS] = opsize == 4 ? (dp >> 16) << 12 : (dp >> 16 & 0xf) << 12;
    }
}

static void pack_env(const struct cpu *c, u8 *image, unsigned opsize)
{
    u32 field[ENV_FIELDS];
    env_fields(c, field, opsize);
    for (unsigned n = 0; n < ENV_FIELDS; n++)
        memcpy(image + n * opsize, &field[n], opsize);
}

static void unpack_pointers(struct cpu *c, const u32 field[ENV_FIELDS], unsigned opsize)
{
    struct fpu_state *f = &c->state.fpu;
    if (by_selector(c)) {
        f->fip = field[ENV_IP] | (u64)(field[ENV_CS] & 0xffff) << 32;
        f->fdp = field[ENV_DP] | (u64)(field[ENV_DS] & 0xffff) << 32;
        f->fop = opsize == 4 ? field[ENV_CS] >> 16 & 0x7ff : 0;
    } else {
        f->fip = (field[ENV_IP] & 0xffff) | (field[ENV_CS] >> 12) << 16;
        f->fdp = (field[ENV_DP] & 0xffff) | (field[ENV_DS] >> 12) << 16;
        f->fop = field[ENV_CS] & 0x7ff;
    }
}

static void unpack_env(struct cpu *c, const u8 *image, unsigned opsize)
{
    struct fpu_state *f = &c->state.fpu;
    u32 field[ENV_FIELDS] = { 0 };
    for (unsigned n = 0; n < ENV_FIELDS; n++)
        memcpy(&field[n], image + n * opsize, opsize);
    x87_set_top(f, field[ENV_SW] >> 11 & 7);
    f->fsw = field[ENV_SW];
    f->ftw = abridged_tags(field[ENV_TW]);
    unpack_pointers(c, field, opsize);
    set_fcw(f, field[ENV_CW]);
}

void exec_fnstenv(struct cpu *c, const struct insn *i)
{
    u8 image[28];
    x87_require(c);
    pack_env(c, image, env_opsize(i));
    seg_write_bytes(c, i->mem.seg, ea_offset(c, i), image, env_size(env_opsize(i)));
    set_fcw(&c->state.fpu, c->state.fpu.fcw | X87_EXCEPTIONS);
}

void exec_fldenv(struct cpu *c, const struct insn *i)
{
    u8 image[28];
    x87_require(c);
    x87_check_pending(c);
    seg_read_bytes(c, i->mem.seg, ea_offset(c, i), image, env_size(env_opsize(i)));
    unpack_env(c, image, env_opsize(i));
}

void exec_fnsave(struct cpu *c, const struct insn *i)
{
    u8 image[108];
    unsigned env = env_size(env_opsize(i));
    x87_require(c);
    pack_env(c, image, env_opsize(i));
    for (unsigned n = 0; n < 8; n++)
        memcpy(image + env + 10 * n, c->state.fpu.st[n], 10);
    seg_write_bytes(c, i->mem.seg, ea_offset(c, i), image, env + 80);
    init(&c->state.fpu);
}

void exec_frstor(struct cpu *c, const struct insn *i)
{
    u8 image[108];
    unsigned env = env_size(env_opsize(i));
    x87_require(c);
    x87_check_pending(c);
    seg_read_bytes(c, i->mem.seg, ea_offset(c, i), image, env + 80);
    unpack_env(c, image, env_opsize(i));
    for (unsigned n = 0; n < 8; n++)
        memcpy(c->state.fpu.st[n], image + env + 10 * n, 10);
}

/* --- FXSAVE, FXRSTOR: the state is kept in this very form. Outside 64-bit mode XMM8 and up are left alone. --- */

static unsigned fx_bytes(const struct insn *i) { return i->bits == 64 ? 416 : 288; }

static u64 fx_operand(struct cpu *c, const struct insn *i)
{
    x87_require(c);
    u64 at = ea_offset(c, i);
    if ((seg_base(c, i->mem.seg) + at) & 15)
        raise_error(c, VEC_GP, 0);
    return at;
}

void exec_fxsave(struct cpu *c, const struct insn *i)
{
    u64 at = fx_operand(c, i);
    struct fpu_state image = c->state.fpu;
    image.mxcsr_mask = MXCSR_VALID;
    seg_write_bytes(c, i->mem.seg, at, &image, fx_bytes(i));
}

void exec_fxrstor(struct cpu *c, const struct insn *i)
{
    struct fpu_state image = c->state.fpu, *f = &c->state.fpu;
    u64 at = fx_operand(c, i);
    seg_read_bytes(c, i->mem.seg, at, &image, fx_bytes(i));
    if (image.mxcsr & ~(u32)MXCSR_VALID)
        raise_error(c, VEC_GP, 0);
    image.mxcsr_mask = f->mxcsr_mask;
    image.fop &= 0x7ff;
    *f = image;
    set_fcw(f, image.fcw);
}

static void require_sse(struct cpu *c)
{
    if (c->state.cr0 & CR0_EM || !(c->state.cr4 & CR4_OSFXSR))
        raise_fault(c, VEC_UD);
    if (c->state.cr0 & CR0_TS)
        raise_fault(c, VEC_NM);
}

void exec_ldmxcsr(struct cpu *c, const struct insn *i)
{
    require_sse(c);
    u32 value = seg_read(c, i->mem.seg, ea_offset(c, i), 4);
    if (value & ~(u32)MXCSR_VALID)
        raise_error(c, VEC_GP, 0);
    c->state.fpu.mxcsr = value;
}

void exec_stmxcsr(struct cpu *c, const struct insn *i)
{
    require_sse(c);
    seg_write(c, i->mem.seg, ea_offset(c, i), 4, c->state.fpu.mxcsr);
}
