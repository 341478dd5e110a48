/* SPDX-License-Identifier: MIT */
/*
 * Bytes to struct insn. The steps are the parts of an instruction, in their order (SDM vol. 2, 2.1 and 2.2):
 * prefixes, opcode, ModRM with SIB and displacement, immediates.
 */
#include "cpu/decoder.h"

static enum decode_status fetch(struct decoder *d, u8 *byte)
{
    if (d->pos >= d->limit)
        return d->at_limit;
    *byte = d->bytes[d->pos++];
    return DECODE_OK;
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
    [0x26] = { prefix_segment, ES },    [0x2e] = { prefix_segment, CS },    [0x36] = { prefix_segment, SS },
    [0x3e] = { prefix_segment, DS },    [0x64] = { prefix_segment, FS },    [0x65] = { prefix_segment, GS },
    [0x66] = { prefix_opsize },         [0x67] = { prefix_adsize },         [0xf0] = { prefix_lock },
    [0xf2] = { prefix_repeat, KEY_F2 }, [0xf3] = { prefix_repeat, KEY_F3 },
};

/* Legacy prefixes in any order, then REX; a REX that is not the last of all is void (SDM vol. 2, 2.2.1). Leaves the
 * opcode's first byte. */
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
    return d->mandatory | (d->out->bits == 64 ? KEY_64 : 0) | (rex_bit(d, REX_W) ? KEY_REX_W : 0) |
           (rex_bit(d, REX_B) ? KEY_REX_B : 0);
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
    if ((st = take_memory(d)) || (st = decode_operands(d)))
        return st;
    return check_lock(d);
}

enum decode_status decode_insn(const u8 *bytes, size_t avail, unsigned bits, struct insn *out)
{
    struct decoder d = {
        .bytes = bytes,
        .limit = avail < INSN_MAX ? avail : INSN_MAX,
        .at_limit = avail < INSN_MAX ? DECODE_SHORT : DECODE_TOO_LONG,
        .out = out,
    };
    *out = (struct insn){ .bits = bits, .seg_override = SEG_NONE, .mem = { .base = -1, .index = -1, .scale = 1 } };
    enum decode_status st = decode_parts(&d);
    out->len = d.pos;
    memcpy(out->bytes, bytes, d.pos);
    return st;
}
