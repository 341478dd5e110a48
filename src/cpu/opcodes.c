/* SPDX-License-Identifier: MIT */
/* The rows of opcodes.def and the names of mnemonics.def as arrays. */
#include "cpu/decode.h"

const char *const mnemonic_names[MN_COUNT] = {
    [MN_INVALID] = "(invalid)",
#define MNEMONIC(id, name) [MN_##id] = name,
#include "cpu/mnemonics.def"
#undef MNEMONIC
};

/* The short words that the columns of opcodes.def are written in. */
enum {
    O = FLAG_OF, S = FLAG_SF, Z = FLAG_ZF, A = FLAG_AF, P = FLAG_PF, C = FLAG_CF,
    D = FLAG_DF, I = FLAG_IF, T = FLAG_TF, NT = FLAG_NT,
    OSZAPC = FLAG_STATUS, OSZPC = FLAG_STATUS & ~FLAG_AF,
    ALL = FLAG_STATUS | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT,
};
enum { LOCK = OPATTR_LOCK, NO64 = OPATTR_NO64, ONLY64 = OPATTR_ONLY64, F64 = OPATTR_FORCE64, D64 = OPATTR_DEFAULT64 };

const struct opcode opcode_rows[] = {
#define ROW(encoding, mnemonic, operands, class, cost, isa, read, written, undefined, attr) \
    { encoding, MN_##mnemonic, operands, CLASS_##class, COST_##cost, ISA_##isa, read, written, undefined, attr },
#include "cpu/opcodes.def"
#undef ROW
};
const unsigned opcode_count = ARRAY_LEN(opcode_rows);
