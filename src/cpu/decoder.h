/* SPDX-License-Identifier: MIT */
/* Inside the decoder only: an instruction on its way through decode.c and decode_operands.c. */
#ifndef EMU_CPU_DECODER_H
#define EMU_CPU_DECODER_H

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

/* Little-endian number of `size` bytes. */
static inline enum decode_status fetch_number(struct decoder *d, unsigned size, u64 *value)
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

static inline u64 sign_extend(u64 value, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (u64)((s64)(value << shift) >> shift);
}

static inline bool rex_bit(const struct decoder *d, unsigned bit) { return d->out->rex >> bit & 1; }
enum { REX_B, REX_X, REX_R, REX_W };

/* Of a ModRM operand or an absolute offset; size 0: none. */
static inline enum decode_status take_displacement(struct decoder *d, unsigned size)
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

/* Fill out->op[] and the immediates, as the row says: everything behind the displacement. */
enum decode_status decode_operands(struct decoder *d);

#endif
