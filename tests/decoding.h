/* SPDX-License-Identifier: MIT */
/* For tests of the decoder: what is true of every instruction. */
#ifndef EMU_TESTS_DECODING_H
#define EMU_TESTS_DECODING_H

#include "check.h"
#include "cpu/decode.h"

static inline void check_offsets(const struct insn *i)
{
    bool ordered = i->opcode_off < i->len && (!i->modrm_off || i->modrm_off > i->opcode_off) &&
                   (!i->sib_off || i->sib_off == i->modrm_off + 1) &&
                   (!i->disp_off || i->disp_off + i->disp_size <= i->len) &&
                   (!i->imm_size || i->imm_off + i->imm_size == i->len);
    if (!ordered)
        FAIL("offsets of %s out of order", i->row->encoding);
}

#endif
