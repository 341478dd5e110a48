/* SPDX-License-Identifier: MIT */
/* Specialised shifts and rotates of registers, by an immediate or by CL. */
#include "cpu/fast.h"

/* A count of zero changes nothing. Rotates change only CF and OF; with a count above one OF is undefined, and stays the host's. */
#define SHIFT(name, insn, w, keep)                                                                  \
    FAST(name##_rr##w)                                                                              \
    {                                                                                               \
        u32 out;                                                                                    \
        u8 count = *(const u8 *)o->src & 31;                                                        \
        t##w a = *(t##w *)o->dst;                                                                   \
        if (likely(count)) {                                                                        \
            asm(insn " %%cl, %[a]\n\tlahf\n\tseto %%al" : [a] "+r"(a), "=&a"(out) : "c"(count) : "cc"); \
            flags = (flags & (keep)) | (out & ~(u32)(keep));                                        \
            put##w(o->dst, a);                                                                      \
        }                                                                                           \
        NEXT;                                                                                       \
    }
#define SHIFT_SIZES(name, insn, keep) SHIFT(name, insn "b", 8, keep) SHIFT(name, insn "w", 16, keep) SHIFT(name, insn "l", 32, keep)

SHIFT_SIZES(shl, "shl", 0)
SHIFT_SIZES(shr, "shr", 0)
SHIFT_SIZES(sar, "sar", 0)
SHIFT_SIZES(rol, "rol", ~(u32)(FAST_CF | FAST_OF))
SHIFT_SIZES(ror, "ror", ~(u32)(FAST_CF | FAST_OF))

#define ROW(id, name) { MN_##id, FORM_RR, { name##_rr8, name##_rr16, name##_rr32 } }
const struct fast_row fast_shift_rows[] = {
    ROW(SHL, shl), ROW(SHR, shr), ROW(SAR, sar), ROW(ROL, rol), ROW(ROR, ror), { 0 },
};
