/* SPDX-License-Identifier: MIT */
/*
 * Status flags as the SDM defines them (vol. 1, 3.4.3.1), for operands of 1, 2, 4 or 8 bytes. Operands and results are
 * zero-extended. Each function returns the flags that it defines; set_flags() puts them in.
 */
#ifndef EMU_CPU_ALUFLAGS_H
#define EMU_CPU_ALUFLAGS_H

#include "cpu/cpu.h"

static inline u64 size_mask(unsigned size) { return size >= 8 ? ~(u64)0 : BIT(8 * size) - 1; }
static inline u64 size_sign(unsigned size) { return BIT(8 * size - 1); }
static inline s64 sign_extend(u64 value, unsigned size)
{
    unsigned shift = 64 - 8 * size;
    return (s64)(value << shift) >> shift;
}

static inline void set_flags(struct cpu *c, u32 which, u32 flags)
{
    c->state.rflags = (c->state.rflags & ~(u64)which) | (flags & which);
}

/* ZF, SF and PF of a result: all that logic instructions define (with CF = OF = 0). */
static inline u32 flags_result(u64 r, unsigned size)
{
    return (r == 0 ? FLAG_ZF : 0) | (r & size_sign(size) ? FLAG_SF : 0) | (__builtin_parity(r & 0xff) ? 0 : FLAG_PF);
}

/* r = a + b + carry. The carry out of each bit is where two of a, b and carry in are set. */
static inline u32 flags_add(u64 a, u64 b, u64 r, unsigned size)
{
    u64 carries = (a & b) | ((a | b) & ~r);
    return flags_result(r, size) | (carries & size_sign(size) ? FLAG_CF : 0) | ((a ^ b ^ r) & FLAG_AF) |
           ((a ^ r) & (b ^ r) & size_sign(size) ? FLAG_OF : 0);
}

/* r = a - b - borrow */
static inline u32 flags_sub(u64 a, u64 b, u64 r, unsigned size)
{
    u64 borrows = (~a & b) | ((~a | b) & r);
    return flags_result(r, size) | (borrows & size_sign(size) ? FLAG_CF : 0) | ((a ^ b ^ r) & FLAG_AF) |
           ((a ^ b) & (a ^ r) & size_sign(size) ? FLAG_OF : 0);
}

/* Condition code 0..15 of Jcc, SETcc and CMOVcc, SDM vol. 1, appendix B. */
static inline bool condition(u64 rflags, unsigned code)
{
    bool of = rflags & FLAG_OF, sf = rflags & FLAG_SF, zf = rflags & FLAG_ZF, cf = rflags & FLAG_CF, pf = rflags & FLAG_PF;
    const bool true_of[8] = { of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of };
    return true_of[code >> 1] != (code & 1);
}

#endif
