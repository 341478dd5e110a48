/* SPDX-License-Identifier: MIT */
/*
 * Inside the decoder only: the rows of opcodes.def, parsed, and found by their bytes.
 *
 * Which row an instruction belongs to depends on its opcode byte (of one of four maps) and, for some opcodes, on
 * more: on prefixes and the mode (the low key) and on the ModRM byte (the high key). Each opcode byte has a slot
 * that says how much of the two keys matters, and where in one array of leaves its row numbers begin.
 */
#ifndef EMU_CPU_OPTABLE_H
#define EMU_CPU_OPTABLE_H

#include "cpu/decode.h"

enum opcode_map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_COUNT };

/* The low key. Two bits for the mandatory prefix, of which F2 and F3 go before 66. */
enum { KEY_NP, KEY_66, KEY_F3, KEY_F2, KEY_PREFIX = 3, KEY_64 = 4, KEY_REX_W = 8, KEY_REX_B = 16 };
enum { KEY_LOW = 31, KEY_LOW_BITS = 5 };
/* The high key: is mod 3, then the reg and rm fields. */
enum { KEY_MOD3 = 1, KEY_REG = 14, KEY_MOD3_REG = 15, KEY_MOD3_REG_RM = 127 };
static inline unsigned key_high(u8 modrm) { return (modrm >> 6 == 3) | (modrm >> 3 & 7) << 1 | (modrm & 7) << 4; }

struct slot {
    u16 first;              /* of its leaves */
    u8 low, high;           /* the bits of the keys that matter */
    bool modrm;             /* a ModRM byte follows */
};

/* The operand types of opcodes.def, with the sizes that they stand for. */
enum operand_type {
    TYPE_NONE, TYPE_a, TYPE_b, TYPE_bs, TYPE_d, TYPE_dq, TYPE_p, TYPE_pd, TYPE_ps, TYPE_q, TYPE_s, TYPE_sd, TYPE_ss,
    TYPE_t, TYPE_v, TYPE_w, TYPE_y, TYPE_z, TYPE_env, TYPE_fpu, TYPE_fx, TYPE_COUNT
};
enum { LETTER_FIXED_GPR = 'g', LETTER_FIXED_SREG = 's', LETTER_ONE = '1', LETTER_ST0 = '0', LETTER_STI = 'i' };
struct operand_spec {
    char letter;            /* as in opcodes.def, or LETTER_* */
    u8 type;                /* enum operand_type */
    u8 mem_type;            /* where the memory form has another: Rv/Mw */
    u8 reg;                 /* LETTER_FIXED_* */
};

/* A row's encoding and operands in numbers. */
struct form {
    u8 map, opcode;
    bool plus_r;            /* the opcode's low three bits are free */
    bool modrm;
    bool mod_ignored;       /* MOV to and from CR and DR: always a register */
    bool byte_form, at_most_4; /* what insn.opsize becomes */
    u8 low_mask, low_value; /* of the low key */
    u8 high_mask, high_value; /* of the high key */
    u8 operands;
    struct operand_spec op[4];
};

struct optable {
    struct slot slots[MAP_COUNT][256];
    struct form forms[2048]; /* by row number */
    u16 leaves[32768];       /* row number + 1, or 0: no instruction */
};

/* Built at the first call, the same from then on. */
const struct optable *optable_get(void);

#endif
