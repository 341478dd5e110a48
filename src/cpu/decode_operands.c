/* SPDX-License-Identifier: MIT */
/* One function for each operand letter of opcodes.def. */
#include "cpu/decoder.h"

/* Bytes, at operand size 2, 4, 8. The FXSAVE image does not fit struct operand's field and counts as 0. */
static const u8 type_sizes[TYPE_COUNT][3] = {
    [TYPE_a] = { 4, 8, 16 },    [TYPE_b] = { 1, 1, 1 },      [TYPE_bs] = { 2, 4, 8 },       [TYPE_d] = { 4, 4, 4 },
    [TYPE_dq] = { 16, 16, 16 }, [TYPE_p] = { 4, 6, 10 },     [TYPE_pd] = { 16, 16, 16 },    [TYPE_ps] = { 16, 16, 16 },
    [TYPE_q] = { 8, 8, 8 },     [TYPE_s] = { 6, 6, 10 },     [TYPE_sd] = { 8, 8, 8 },       [TYPE_ss] = { 4, 4, 4 },
    [TYPE_t] = { 10, 10, 10 },  [TYPE_v] = { 2, 4, 8 },      [TYPE_w] = { 2, 2, 2 },        [TYPE_y] = { 4, 4, 8 },
    [TYPE_z] = { 2, 4, 4 },     [TYPE_env] = { 14, 28, 28 }, [TYPE_fpu] = { 94, 108, 108 },
};

typedef enum decode_status operand_fn(struct decoder *d, const struct operand_spec *s, struct operand *o);

/* AH..BH have the numbers of SPL..DIL, unless there is a REX prefix. */
static void set_gpr(const struct decoder *d, struct operand *o, unsigned reg)
{
    o->kind = OPD_GPR;
    o->high8 = o->size == 1 && !d->out->rex && reg >= 4;
    o->reg = o->high8 ? reg - 4 : reg;
}

static unsigned modrm_reg(const struct decoder *d) { return (d->out->modrm >> 3 & 7) | rex_bit(d, REX_R) << 3; }
static unsigned modrm_rm(const struct decoder *d) { return (d->out->modrm & 7) | rex_bit(d, REX_B) << 3; }
static bool is_memory(const struct decoder *d) { return d->out->modrm >> 6 != 3 && !d->form->mod_ignored; }

static enum decode_status set_memory(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    o->kind = OPD_MEM;
    o->size = type_sizes[s->mem_type][d->width];
    return DECODE_OK;
}

static enum decode_status set_register(struct operand *o, enum operand_kind kind, unsigned reg)
{
    o->kind = kind;
    o->reg = reg;
    return DECODE_OK;
}

static enum decode_status operand_E(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    if (is_memory(d))
        return set_memory(d, s, o);
    set_gpr(d, o, modrm_rm(d));
    return DECODE_OK;
}

static enum decode_status operand_G(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    set_gpr(d, o, modrm_reg(d));
    return DECODE_OK;
}

static enum decode_status operand_Z(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    set_gpr(d, o, (d->opcode & 7) | rex_bit(d, REX_B) << 3);
    return DECODE_OK;
}

static enum decode_status operand_fixed_gpr(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return set_register(o, OPD_GPR, s->reg);
}

static enum decode_status operand_fixed_sreg(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return set_register(o, OPD_SREG, s->reg);
}

static enum decode_status operand_Q(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return is_memory(d) ? set_memory(d, s, o) : set_register(o, OPD_MMX, d->out->modrm & 7);
}

static enum decode_status operand_W(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return is_memory(d) ? set_memory(d, s, o) : set_register(o, OPD_XMM, modrm_rm(d));
}

static enum decode_status operand_P(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return set_register(o, OPD_MMX, d->out->modrm >> 3 & 7);
}

static enum decode_status operand_V(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return set_register(o, OPD_XMM, modrm_reg(d));
}

/* There are no segment registers 6 and 7, and CS is not loaded by MOV. */
static enum decode_status operand_S(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    unsigned reg = d->out->modrm >> 3 & 7;
    bool loaded = o == d->out->op;
    o->size = 2;
    set_register(o, OPD_SREG, reg);
    return reg > GS || (loaded && reg == CS) ? DECODE_INVALID : DECODE_OK;
}

static enum decode_status operand_C(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    unsigned reg = modrm_reg(d);
    set_register(o, OPD_CR, reg);
    return reg < 16 && BIT(reg) & (BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(8)) ? DECODE_OK : DECODE_INVALID;
}

static enum decode_status operand_D(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    set_register(o, OPD_DR, modrm_reg(d));
    return o->reg < 8 ? DECODE_OK : DECODE_INVALID;
}

static enum decode_status operand_st0(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return set_register(o, OPD_ST, 0);
}

static enum decode_status operand_sti(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    return set_register(o, OPD_ST, d->out->modrm & 7);
}

static enum decode_status operand_O(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    o->kind = OPD_MEM;
    return take_displacement(d, d->out->adsize);
}

/* Implied by the string instruction: no operand, and insn.mem holds no more than the segment of DS:rSI. */
static enum decode_status operand_string(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    o->size = 0;
    return DECODE_OK;
}

static enum decode_status operand_one(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    o->kind = OPD_IMM;
    d->out->imm = 1;
    return DECODE_OK;
}

/* The second immediate of an instruction (ENTER's) goes to imm2. */
static enum decode_status take_immediate(struct decoder *d, unsigned size, bool sign)
{
    struct insn *i = d->out;
    u64 *to = i->imm_size ? &i->imm2 : &i->imm;
    if (!i->imm_size)
        i->imm_off = d->pos;
    enum decode_status st = fetch_number(d, size, to);
    i->imm_size += size;
    if (sign)
        *to = sign_extend(*to, size);
    return st;
}

static enum decode_status operand_I(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    bool sign = s->type == TYPE_bs || s->type == TYPE_z;
    unsigned size = s->type == TYPE_bs ? 1 : o->size;
    o->kind = OPD_IMM;
    if (s->type == TYPE_z)
        o->size = 2 << d->width;
    return take_immediate(d, size, sign);
}

static enum decode_status operand_J(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    unsigned size = o->size;
    o->kind = OPD_REL;
    o->size = 2 << d->width;
    return take_immediate(d, size, true);
}

static enum decode_status operand_A(struct decoder *d, const struct operand_spec *s, struct operand *o)
{
    o->kind = OPD_FAR;
    enum decode_status st = take_immediate(d, o->size - 2, false);
    return st ? st : take_immediate(d, 2, false);
}

static operand_fn *const operand_fns[128] = {
    ['A'] = operand_A,
    ['C'] = operand_C,
    ['D'] = operand_D,
    ['E'] = operand_E,
    ['G'] = operand_G,
    ['I'] = operand_I,
    ['J'] = operand_J,
    ['M'] = operand_E,
    ['N'] = operand_Q,
    ['O'] = operand_O,
    ['P'] = operand_P,
    ['Q'] = operand_Q,
    ['R'] = operand_E,
    ['S'] = operand_S,
    ['U'] = operand_W,
    ['V'] = operand_V,
    ['W'] = operand_W,
    ['X'] = operand_string,
    ['Y'] = operand_string,
    ['Z'] = operand_Z,
    [LETTER_FIXED_GPR] = operand_fixed_gpr,
    [LETTER_FIXED_SREG] = operand_fixed_sreg,
    [LETTER_ONE] = operand_one,
    [LETTER_ST0] = operand_st0,
    [LETTER_STI] = operand_sti,
};

enum decode_status decode_operands(struct decoder *d)
{
    const struct form *f = d->form;
    enum decode_status st = DECODE_OK;
    for (unsigned n = 0; n < f->operands && !st; n++) {
        d->out->op[n].size = type_sizes[f->op[n].type][d->width];
        st = operand_fns[(u8)f->op[n].letter](d, &f->op[n], &d->out->op[n]);
    }
    return st;
}
