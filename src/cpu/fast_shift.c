/* SPDX-License-Identifier: MIT */
/* Specialised shifts and rotates of registers, by an immediate or by CL. */
#include "cpu/fast.h"

/* A count of zero changes nothing. Rotates define only CF and OF; OF is defined by a count of one. What is undefined stays as it was,
 * so that it does not depend on the host; a count beyond the operand's width leaves CF undefined too, and is not for here. */
#define SHIFT(name, insn, w, defined)                                                               \
    FAST(name##_rr##w)                                                                              \
    {                                                                                               \
        u32 out, keep = ~(u32)(defined);                                                            \
        u8 count = *(const u8 *)o->src & (w == 64 ? 63 : 31);                                       \
        t##w a = *(t##w *)o->dst;                                                                   \
        if (unlikely(!count)) {                                                                     \
            IF_WIDE(put##w(o->dst, a); /* a 32-bit register loses its upper half all the same */)   \
            NEXT;                                                                                   \
        }                                                                                           \
        if (w < 32 && unlikely(count > w))                                                          \
            GIVE_UP;                                                                                \
        asm(insn " %%cl, %[a]\n\tlahf\n\tseto %%al" : [a] "+r"(a), "=&a"(out) : "c"(count) : "cc"); \
        keep |= count > 1 ? FAST_OF : 0;                                                            \
        flags = (flags & keep) | (out & ~keep);                                                     \
        put##w(o->dst, a);                                                                          \
        NEXT;                                                                                       \
    }
#define SHIFT_SIZES(name, insn, defined) \
    SHIFT(name, insn "b", 8, defined) SHIFT(name, insn "w", 16, defined) SHIFT(name, insn "l", 32, defined) \
    IF_WIDE(SHIFT(name, insn "q", 64, defined))
#define BY_RESULT (FAST_SF | FAST_ZF | FAST_PF | FAST_CF | FAST_OF)
#define BY_LAST_BIT (FAST_CF | FAST_OF)

SHIFT_SIZES(shl, "shl", BY_RESULT)
SHIFT_SIZES(shr, "shr", BY_RESULT)
SHIFT_SIZES(sar, "sar", BY_RESULT)
SHIFT_SIZES(rol, "rol", BY_LAST_BIT)
SHIFT_SIZES(ror, "ror", BY_LAST_BIT)

#define ROW(id, name) { MN_##id, FORM_RR, { name##_rr8, name##_rr16, name##_rr32, IF_WIDE(name##_rr64) } }
const struct fast_row FAST_ROWS(fast_shift_rows)[] = {
    ROW(SHL, shl), ROW(SHR, shr), ROW(SAR, sar), ROW(ROL, rol), ROW(ROR, ror), { 0 },
};
