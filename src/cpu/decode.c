/* SPDX-License-Identifier: MIT */
/*
 * Bytes to struct insn. The steps are the parts of an instruction, in their order (SDM vol. 2, 2.1 and 2.2):
 * prefixes, opcode, ModRM with SIB and displacement, immediates.
 */
#include "cpu/decode.h"

#include <string.h>

#include "cpu/optable.h"

struct decoder {
    const u8 *bytes;
    unsigned limit;             /* how many of them may be read */
    enum decode_status at_limit; /* what reading on would mean */
    unsigned pos;
    u8 mandatory;               /* KEY_66, KEY_F3 or KEY_F2, or KEY_NP */
    u8 map, opcode;
    const struct form *form;
    u8 width;                   /* effective operand size, as index: 0, 1, 2 for 2, 4, 8 bytes */
    struct insn *out;
};

static enum decode_status fetch(struct decoder *d, u8 *byte)
{
    if (d->pos >= d->limit)
        return d->at_limit;
    *byte = d->bytes[d->pos++];
    return DECODE_OK;
}

/* Little-endian number of `size` bytes. */
static enum decode_status fetch_number(struct decoder *d, unsigned size, u64 *value)
{
    if (d->pos + size > d->limit) {
        d->pos = d->limit;
        return d->at_limit;
    }
    *value = 0;
    memcpy(value, d->bytes + d->pos, size);
    d->pos += size;
    return DECODE_OK;
}

static u64 sign_extend(u64 value, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (u64)((s64)(value << shift) >> shift);
}

/* --- Prefixes --- */

static void prefix_segment(struct decoder *d, u8 sreg) { d->out->seg_override = sreg; }
static void prefix_lock(struct decoder *d, u8 unused) { d->out->lock = true; }
static void prefix_adsize(struct decoder *d, u8 unused) { d->out->adsize_prefix = true; }

static void prefix_opsize(struct decoder *d, u8 unused)
{
    d->out->opsize_prefix = true;
    if (d->mandatory == KEY_NP)
        d->mandatory = KEY_66;
}

/* The last of F2 and F3 counts. */
static void prefix_repeat(struct decoder *d, u8 key)
{
    d->out->rep = key == KEY_F3;
    d->out->repne = key == KEY_F2;
    d->mandatory = key;
}

static const struct { void (*note)(struct decoder *d, u8 value); u8 value; } prefixes[256] = {
    [0x26] = { prefix_segment, ES }, [0x2e] = { prefix_segment, CS }, [0x36] = { prefix_segment, SS }, [0x3e] = { prefix_segment, DS },
    [0x64] = { prefix_segment, FS }, [0x65] = { prefix_segment, GS }, [0x66] = { prefix_opsize }, [0x67] = { prefix_adsize },
    [0xf0] = { prefix_lock }, [0xf2] = { prefix_repeat, KEY_F2 }, [0xf3] = { prefix_repeat, KEY_F3 },
};

/* Legacy prefixes in any order, then REX; a REX that is not the last of all is void (SDM vol. 2, 2.2.1). Leaves the opcode's first byte. */
static enum decode_status take_prefixes(struct decoder *d, u8 *byte)
{
    enum decode_status st;
    while ((st = fetch(d, byte)) == DECODE_OK) {
        if (prefixes[*byte].note) {
            d->out->rex = 0;
            prefixes[*byte].note(d, prefixes[*byte].value);
        } else if (d->out->bits == 64 && (*byte & 0xf0) == 0x40) {
            d->out->rex = *byte;
        } else {
            break;
        }
    }
    return st;
}

/* --- Opcode --- */

static bool rex_bit(const struct decoder *d, unsigned bit) { return d->out->rex >> bit & 1; }
enum { REX_B, REX_X, REX_R, REX_W };

static enum decode_status take_opcode(struct decoder *d)
{
    enum decode_status st = take_prefixes(d, &d->opcode);
    d->out->opcode_off = d->pos - (st == DECODE_OK);
    if (st || d->opcode != 0x0f)
        return st;
    if ((st = fetch(d, &d->opcode)))
        return st;
    d->map = d->opcode == 0x38 ? MAP_0F38 : d->opcode == 0x3a ? MAP_0F3A : MAP_0F;
    return d->map == MAP_0F ? DECODE_OK : fetch(d, &d->opcode);
}

static unsigned key_low(const struct decoder *d)
{
    return d->mandatory | (d->out->bits == 64 ? KEY_64 : 0) | (rex_bit(d, REX_W) ? KEY_REX_W : 0) | (rex_bit(d, REX_B) ? KEY_REX_B : 0);
}

/* The row, with the help of the ModRM byte where there is one. */
static enum decode_status find_row(struct decoder *d)
{
    const struct optable *t = optable_get();
    const struct slot *s = &t->slots[d->map][d->opcode];
    enum decode_status st;
    unsigned index = s->first + (key_low(d) & s->low);
    if (s->modrm) {
        d->out->modrm_off = d->pos;
        if ((st = fetch(d, &d->out->modrm)))
            return st;
        index += (key_high(d->out->modrm) & s->high) << (s->low ? KEY_LOW_BITS : 0);
    }
    unsigned row = t->leaves[index];
    if (!row)
        return DECODE_INVALID;
    d->form = &t->forms[row - 1];
    d->out->row = &opcode_rows[row - 1];
    d->out->mnemonic = d->out->row->mnemonic;
    return DECODE_OK;
}

/* Effective operand size (SDM vol. 1, tables 3-3 and 3-4), as an index. */
static u8 operand_width(const struct decoder *d)
{
    const struct insn *i = d->out;
    if (i->bits != 64)
        return (i->bits == 32) != i->opsize_prefix;
    if (i->row->attr & OPATTR_FORCE64 || rex_bit(d, REX_W))
        return 2;
    return i->opsize_prefix ? 0 : i->row->attr & OPATTR_DEFAULT64 ? 2 : 1;
}

static void set_sizes(struct decoder *d)
{
    struct insn *i = d->out;
    d->width = operand_width(d);
    i->opsize = d->form->byte_form ? 1 : d->form->at_most_4 && d->width == 2 ? 4 : 2 << d->width;
}

/* --- Memory operands --- */

/* In 64-bit mode only FS and GS have bases; the other overrides are void (SDM vol. 1, 3.4.2.1). */
static u8 effective_segment(const struct insn *i, u8 by_default)
{
    bool counts = i->seg_override != SEG_NONE && (i->bits != 64 || i->seg_override >= FS);
    return counts ? i->seg_override : by_default;
}

static enum decode_status take_displacement(struct decoder *d, unsigned size)
{
    struct insn *i = d->out;
    u64 value = 0;
    if (!size)
        return DECODE_OK;
    i->disp_off = d->pos;
    i->disp_size = size;
    enum decode_status st = fetch_number(d, size, &value);
    i->mem.disp = sign_extend(value, size);
    return st;
}

/* SDM vol. 2, table 2-1 */
static enum decode_status take_memory16(struct decoder *d)
{
    static const struct { s8 base, index; } forms[8] = {
        { RBX, RSI }, { RBX, RDI }, { RBP, RSI }, { RBP, RDI }, { RSI, -1 }, { RDI, -1 }, { RBP, -1 }, { RBX, -1 },
    };
    struct insn *i = d->out;
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    bool absolute = mod == 0 && rm == 6;
    if (!absolute) {
        i->mem.base = forms[rm].base;
        i->mem.index = forms[rm].index;
    }
    i->mem.seg = effective_segment(i, i->mem.base == RBP ? SS : DS);
    return take_displacement(d, absolute ? 2 : mod);
}

/* Fills base, index, scale; *absolute: no base, a 32-bit displacement instead. SDM vol. 2, table 2-3 */
static enum decode_status take_sib(struct decoder *d, bool *absolute)
{
    struct insn *i = d->out;
    u8 sib = 0;
    i->sib_off = d->pos;
    enum decode_status st = fetch(d, &sib);
    if (st)
        return st;
    unsigned index = (sib >> 3 & 7) | rex_bit(d, REX_X) << 3;
    i->mem.index = index == RSP ? -1 : (s8)index;
    i->mem.scale = 1 << (sib >> 6);
    *absolute = i->modrm >> 6 == 0 && (sib & 7) == RBP;
    i->mem.base = *absolute ? -1 : (sib & 7) | rex_bit(d, REX_B) << 3;
    return DECODE_OK;
}

/* SDM vol. 2, table 2-2 */
static enum decode_status take_memory32(struct decoder *d)
{
    static const u8 disp_sizes[4] = { 0, 1, 4, 0 };
    struct insn *i = d->out;
    unsigned mod = i->modrm >> 6, rm = i->modrm & 7;
    bool absolute = mod == 0 && rm == RBP;
    enum decode_status st;
    if (rm == RSP) {
        if ((st = take_sib(d, &absolute)))
            return st;
    } else {
        i->mem.base = !absolute ? (s8)(rm | rex_bit(d, REX_B) << 3) : i->bits == 64 ? -2 : -1;
    }
    i->mem.seg = effective_segment(i, i->mem.base == RSP || i->mem.base == RBP ? SS : DS);
    return take_displacement(d, absolute ? 4 : disp_sizes[mod]);
}

static enum decode_status take_memory(struct decoder *d)
{
    struct insn *i = d->out;
    if (!i->modrm_off || i->modrm >> 6 == 3 || d->form->mod_ignored)
        return DECODE_OK;
    return i->adsize == 2 ? take_memory16(d) : take_memory32(d);
}

/* --- Operands --- */

/* Bytes, at operand size 2, 4, 8. The FXSAVE image does not fit struct operand's field and counts as 0. */
static const u8 type_sizes[TYPE_COUNT][3] = {
    [TYPE_a] = { 4, 8, 16 }, [TYPE_b] = { 1, 1, 1 }, [TYPE_bs] = { 2, 4, 8 }, [TYPE_d] = { 4, 4, 4 }, [TYPE_dq] = { 16, 16, 16 },
    [TYPE_p] = { 4, 6, 10 }, [TYPE_pd] = { 16, 16, 16 }, [TYPE_ps] = { 16, 16, 16 }, [TYPE_q] = { 8, 8, 8 }, [TYPE_s] = { 6, 6, 10 },
    [TYPE_sd] = { 8, 8, 8 }, [TYPE_ss] = { 4, 4, 4 }, [TYPE_t] = { 10, 10, 10 }, [TYPE_v] = { 2, 4, 8 }, [TYPE_w] = { 2, 2, 2 },
    [TYPE_y] = { 4, 4, 8 }, [TYPE_z] = { 2, 4, 4 }, [TYPE_env] = { 14, 28, 28 }, [TYPE_fpu] = { 94, 108, 108 },
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
    ['A'] = operand_A, ['C'] = operand_C, ['D'] = operand_D, ['E'] = operand_E, ['G'] = operand_G, ['I'] = operand_I, ['J'] = operand_J,
    ['M'] = operand_E, ['N'] = operand_Q, ['O'] = operand_O, ['P'] = operand_P, ['Q'] = operand_Q, ['R'] = operand_E, ['S'] = operand_S,
    ['U'] = operand_W, ['V'] = operand_V, ['W'] = operand_W, ['X'] = operand_string, ['Y'] = operand_string, ['Z'] = operand_Z,
    [LETTER_FIXED_GPR] = operand_fixed_gpr, [LETTER_FIXED_SREG] = operand_fixed_sreg, [LETTER_ONE] = operand_one,
    [LETTER_ST0] = operand_st0, [LETTER_STI] = operand_sti,
};

static enum decode_status take_operands(struct decoder *d)
{
    const struct form *f = d->form;
    enum decode_status st = DECODE_OK;
    for (unsigned n = 0; n < f->operands && !st; n++) {
        d->out->op[n].size = type_sizes[f->op[n].type][d->width];
        st = operand_fns[(u8)f->op[n].letter](d, &f->op[n], &d->out->op[n]);
    }
    return st;
}

/* --- The whole --- */

/* LOCK is for read-modify-write of memory, and #UD everywhere else (SDM vol. 2, LOCK). */
static enum decode_status check_lock(const struct decoder *d)
{
    const struct insn *i = d->out;
    if (!i->lock || (i->row->attr & OPATTR_LOCK && i->op[0].kind == OPD_MEM))
        return DECODE_OK;
    return DECODE_INVALID;
}

static enum decode_status decode_parts(struct decoder *d)
{
    struct insn *i = d->out;
    enum decode_status st;
    if ((st = take_opcode(d)))
        return st;
    i->adsize = i->bits == 64 ? 8 >> i->adsize_prefix : (i->bits == 32) != i->adsize_prefix ? 4 : 2;
    i->mem.seg = effective_segment(i, DS);
    if ((st = find_row(d)))
        return st;
    set_sizes(d);
    if ((st = take_memory(d)) || (st = take_operands(d)))
        return st;
    return check_lock(d);
}

enum decode_status decode_insn(const u8 *bytes, size_t avail, unsigned bits, struct insn *out)
{
    struct decoder d = {
        .bytes = bytes, .limit = avail < INSN_MAX ? avail : INSN_MAX, .at_limit = avail < INSN_MAX ? DECODE_SHORT : DECODE_TOO_LONG, .out = out,
    };
    *out = (struct insn){ .bits = bits, .seg_override = SEG_NONE, .mem = { .base = -1, .index = -1, .scale = 1 } };
    enum decode_status st = decode_parts(&d);
    out->len = d.pos;
    memcpy(out->bytes, bytes, d.pos);
    return st;
}
