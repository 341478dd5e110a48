/* SPDX-License-Identifier: MIT */
/*
 * Shifts and rotates. The count is taken modulo 32 (64 for 8-byte operands); if that is 0, nothing changes, flags included
 * (SDM vol. 2, "SAL/SAR/SHL/SHR"). OF is defined by a count of 1; otherwise, like AF, ours stays as it was.
 */
#include "cpu/integer.h"

struct shift {
    unsigned size, bits, count; /* operand in bytes and bits; count as masked */
    u64 value, mask;
};

/* False: the count is zero. A memory destination must be writable all the same, and a 32-bit register loses its upper half. */
static bool begin(struct cpu *c, const struct insn *i, unsigned count_operand, struct shift *s)
{
    s->size = i->op[0].size;
    s->bits = 8 * s->size;
    s->mask = size_mask(s->size);
    s->value = opd_modify(c, i, 0);
    s->count = opd_read(c, i, count_operand) & (s->size == 8 ? 63 : 31);
    if (!s->count && i->op[0].kind == OPD_GPR)
        opd_write(c, i, 0, s->value);
    return s->count != 0;
}

static bool top(const struct shift *s, u64 r) { return r >> (s->bits - 1) & 1; }
static bool next(const struct shift *s, u64 r) { return r >> (s->bits - 2) & 1; }
static u32 defined(const struct shift *s, u32 flags) { return s->count == 1 ? flags : flags & ~FLAG_OF; }
static u32 cf_of(bool cf, bool of) { return (cf ? FLAG_CF : 0) | (of ? FLAG_OF : 0); }

static void finish(struct cpu *c, const struct insn *i, const struct shift *s, u64 r, bool cf, bool of)
{
    r &= s->mask;
    opd_write(c, i, 0, r);
    set_flags(c, defined(s, FLAG_STATUS & ~FLAG_AF), flags_result(r, s->size) | cf_of(cf, of));
}

static void finish_rotate(struct cpu *c, const struct insn *i, const struct shift *s, u64 r, bool cf, bool of)
{
    opd_write(c, i, 0, r & s->mask);
    set_flags(c, defined(s, FLAG_CF | FLAG_OF), cf_of(cf, of));
}

/* Shifts in C by as many bits as there are, or more, are not defined. */
static u64 left(u64 v, unsigned n) { return n < 64 ? v << n : 0; }
static u64 right(u64 v, unsigned n) { return n < 64 ? v >> n : 0; }

void exec_shl(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    u64 r = left(s.value, s.count) & s.mask;
    bool cf = s.count <= s.bits && right(s.value, s.bits - s.count) & 1;
    finish(c, i, &s, r, cf, top(&s, r) ^ cf);
}

void exec_shr(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    finish(c, i, &s, right(s.value, s.count), right(s.value, s.count - 1) & 1, top(&s, s.value));
}

void exec_sar(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    s64 value = sign_extend(s.value, s.size);
    finish(c, i, &s, value >> s.count, value >> (s.count - 1) & 1, false);
}

void exec_rol(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    unsigned n = s.count % s.bits;
    u64 r = (left(s.value, n) | right(s.value, s.bits - n)) & s.mask;
    finish_rotate(c, i, &s, r, r & 1, top(&s, r) ^ (r & 1));
}

void exec_ror(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    unsigned n = s.count % s.bits;
    u64 r = (right(s.value, n) | left(s.value, s.bits - n)) & s.mask;
    finish_rotate(c, i, &s, r, top(&s, r), top(&s, r) ^ next(&s, r));
}

/* Through the carry: a ring of bits + 1 places, one step at a time. */
void exec_rcl(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    u64 r = s.value;
    bool cf = c->state.rflags & FLAG_CF;
    for (unsigned n = s.count % (s.bits + 1); n; n--) {
        bool out = top(&s, r);
        r = (r << 1 | cf) & s.mask;
        cf = out;
    }
    finish_rotate(c, i, &s, r, cf, top(&s, r) ^ cf);
}

void exec_rcr(struct cpu *c, const struct insn *i)
{
    struct shift s;
    if (!begin(c, i, 1, &s))
        return;
    u64 r = s.value;
    bool cf = c->state.rflags & FLAG_CF;
    for (unsigned n = s.count % (s.bits + 1); n; n--) {
        bool out = r & 1;
        r = r >> 1 | (u64)cf << (s.bits - 1);
        cf = out;
    }
    finish_rotate(c, i, &s, r, cf, top(&s, r) ^ next(&s, r));
}

/* Counts above the operand size (16-bit operands only) are undefined: ours shift in the source again, as a ring of both. */
static u64 doubled(u64 high, u64 low, const struct shift *s) { return left(high, s->bits) | low; }

void exec_shld(struct cpu *c, const struct insn *i)
{
    struct shift s;
    u64 source = opd_read(c, i, 1), r;
    if (!begin(c, i, 2, &s))
        return;
    if (s.count <= s.bits)
        r = left(s.value, s.count) | right(source, s.bits - s.count);
    else
        r = left(doubled(source, s.value, &s), s.count - s.bits) >> s.bits;
    bool cf = s.count <= s.bits ? right(s.value, s.bits - s.count) & 1 : right(source, 2 * s.bits - s.count) & 1;
    finish(c, i, &s, r, cf, top(&s, r) ^ top(&s, s.value));
}

void exec_shrd(struct cpu *c, const struct insn *i)
{
    struct shift s;
    u64 source = opd_read(c, i, 1), r;
    if (!begin(c, i, 2, &s))
        return;
    if (s.count <= s.bits)
        r = right(s.value, s.count) | left(source, s.bits - s.count);
    else
        r = right(doubled(s.value, source, &s), s.count - s.bits);
    bool cf = s.count <= s.bits ? right(s.value, s.count - 1) & 1 : right(source, s.count - s.bits - 1) & 1;
    finish(c, i, &s, r, cf, top(&s, r & s.mask) ^ top(&s, s.value));
}
