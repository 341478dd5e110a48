/* SPDX-License-Identifier: MIT */
/* Specialised arithmetic and logic: the host's instruction between the guest's operands, and its flags. */
#include "cpu/fast.h"

#define READ_FLAGS "\n\tlahf\n\tseto %%al"
#define CARRY_IN "btl $8, %[in]\n\t"

/* a OP b, with the carry in where the instruction reads it. Logic leaves AF undefined: `clear` makes it 0 on any host. */
#define BINARY(name, insn, w, before, clear)                                                            \
    static inline t##w name##w(t##w a, t##w b, u32 *flags)                                          \
    {                                                                                               \
        u32 out;                                                                                    \
        asm(before insn " %[b], %[a]" READ_FLAGS : [a] "+r"(a), "=&a"(out) : [b] "r"(b), [in] "r"(*flags) : "cc"); \
        *flags = out & ~(u32)(clear);                                                               \
        return a;                                                                                   \
    }
#define BINARY_SIZES(name, insn, before, clear) \
    BINARY(name, insn "b", 8, before, clear) BINARY(name, insn "w", 16, before, clear) BINARY(name, insn "l", 32, before, clear) \
    IF_WIDE(BINARY(name, insn "q", 64, before, clear))

BINARY_SIZES(add, "add", "", 0)
BINARY_SIZES(or, "or", "", FAST_AF)
BINARY_SIZES(adc, "adc", CARRY_IN, 0)
BINARY_SIZES(sbb, "sbb", CARRY_IN, 0)
BINARY_SIZES(and, "and", "", FAST_AF)
BINARY_SIZES(sub, "sub", "", 0)
BINARY_SIZES(xor, "xor", "", FAST_AF)

/* CMP and TEST write no result. */
#define COMPARE(name, insn, w, clear)                                                                \
    static inline void name##w(t##w a, t##w b, u32 *flags)                                          \
    {                                                                                               \
        u32 out;                                                                                    \
        asm(insn " %[b], %[a]" READ_FLAGS : "=&a"(out) : [a] "r"(a), [b] "r"(b) : "cc");            \
        *flags = out & ~(u32)(clear);                                                               \
    }
#define COMPARE_SIZES(name, insn, clear) \
    COMPARE(name, insn "b", 8, clear) COMPARE(name, insn "w", 16, clear) COMPARE(name, insn "l", 32, clear) \
    IF_WIDE(COMPARE(name, insn "q", 64, clear))
COMPARE_SIZES(cmp, "cmp", 0)
COMPARE_SIZES(test, "test", FAST_AF)

/* INC and DEC keep CF; NEG sets all; NOT none. */
#define UNARY(name, insn, w, keep)                                                                  \
    static inline t##w name##w(t##w a, u32 *flags)                                                  \
    {                                                                                               \
        u32 out;                                                                                    \
        asm(insn " %[a]" READ_FLAGS : [a] "+r"(a), "=&a"(out) : : "cc");                            \
        *flags = (out & ~(u32)(keep)) | (*flags & (keep));                                          \
        return a;                                                                                   \
    }
#define UNARY_SIZES(name, insn, keep) \
    UNARY(name, insn "b", 8, keep) UNARY(name, insn "w", 16, keep) UNARY(name, insn "l", 32, keep) IF_WIDE(UNARY(name, insn "q", 64, keep))
UNARY_SIZES(inc, "inc", FAST_CF)
UNARY_SIZES(dec, "dec", FAST_CF)
UNARY_SIZES(neg, "neg", 0)
UNARY_SIZES(not, "not", ~0)

/* The forms of each. */
#define BINARY_FORMS(name, w)                                                                       \
    FAST(name##_rr##w)                                                                              \
    {                                                                                               \
        put##w(o->dst, name##w(*(t##w *)o->dst, *(const t##w *)o->src, &flags));                    \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_rm##w)                                                                              \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put##w(o->dst, name##w(*(t##w *)o->dst, *p, &flags));                                       \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_mr##w)                                                                              \
    {                                                                                               \
        t##w *p = fast_memory(c, o, w / 8, ACCESS_WRITE);                                           \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        *p = name##w(*p, *(const t##w *)o->src, &flags);                                            \
        NEXT;                                                                                       \
    }
#define COMPARE_FORMS(name, w)                                                                      \
    FAST(name##_rr##w)                                                                              \
    {                                                                                               \
        name##w(*(t##w *)o->dst, *(const t##w *)o->src, &flags);                                    \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_rm##w)                                                                              \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        name##w(*(t##w *)o->dst, *p, &flags);                                                       \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_mr##w)                                                                              \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        name##w(*p, *(const t##w *)o->src, &flags);                                                 \
        NEXT;                                                                                       \
    }
#define UNARY_FORMS(name, w)                                                                        \
    FAST(name##_r##w)                                                                               \
    {                                                                                               \
        put##w(o->dst, name##w(*(t##w *)o->dst, &flags));                                           \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_m##w)                                                                               \
    {                                                                                               \
        t##w *p = fast_memory(c, o, w / 8, ACCESS_WRITE);                                           \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        *p = name##w(*p, &flags);                                                                   \
        NEXT;                                                                                       \
    }
#define SIZES(forms, name) forms(name, 8) forms(name, 16) forms(name, 32) IF_WIDE(forms(name, 64))
SIZES(BINARY_FORMS, add)
SIZES(BINARY_FORMS, or)
SIZES(BINARY_FORMS, adc)
SIZES(BINARY_FORMS, sbb)
SIZES(BINARY_FORMS, and)
SIZES(BINARY_FORMS, sub)
SIZES(BINARY_FORMS, xor)
SIZES(COMPARE_FORMS, cmp)
SIZES(COMPARE_FORMS, test)
SIZES(UNARY_FORMS, inc)
SIZES(UNARY_FORMS, dec)
SIZES(UNARY_FORMS, neg)
SIZES(UNARY_FORMS, not)

/* Two- and three-operand IMUL: only CF and OF are defined. */
#define IMUL(w, insn, extend)                                                                       \
    static inline u##w imul##w(u##w a, u##w b, u32 *flags)                                          \
    {                                                                                               \
        u32 out;                                                                                    \
        asm(insn " %[b], %[a]" READ_FLAGS : [a] "+r"(a), "=&a"(out) : [b] "r"(b) : "cc");           \
        *flags = (*flags & ~(u32)(FAST_CF | FAST_OF)) | (out & (FAST_CF | FAST_OF));                \
        return a;                                                                                   \
    }                                                                                               \
    FAST(imul_rr##w)                                                                                \
    {                                                                                               \
        put##w(o->dst, imul##w(*(u##w *)o->dst, *(const u##w *)o->src, &flags));                    \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(imul_rm##w)                                                                                \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put##w(o->dst, imul##w(*(u##w *)o->dst, *p, &flags));                                       \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(imul_rri##w)                                                                               \
    {                                                                                               \
        put##w(o->dst, imul##w(*(const u##w *)o->src, extend o->imm, &flags));                      \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(imul_rmi##w)                                                                               \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put##w(o->dst, imul##w(*p, extend o->imm, &flags));                                         \
        NEXT;                                                                                       \
    }
IMUL(32, "imull", )
IF_WIDE(IMUL(64, "imulq", (s32)))

/* MUL, IMUL and DIV of rDX:rAX. */
static inline void multiplied(bool overflow, u32 *flags)
{
    *flags = (*flags & ~(u32)(FAST_CF | FAST_OF)) | (overflow ? FAST_CF | FAST_OF : 0);
}

static inline void mul_a32(struct cpu *c, u32 b, u32 *flags)
{
    u64 r = (u64)(u32)c->state.gpr[RAX] * b;
    c->state.gpr[RAX] = (u32)r;
    c->state.gpr[RDX] = r >> 32;
    multiplied(r >> 32 != 0, flags);
}

static inline void imul_a32(struct cpu *c, u32 b, u32 *flags)
{
    s64 r = (s64)(s32)c->state.gpr[RAX] * (s32)b;
    c->state.gpr[RAX] = (u32)r;
    c->state.gpr[RDX] = (u64)r >> 32;
    multiplied(r != (s32)r, flags);
}

/* False: it raises #DE. */
static inline bool div_a32(struct cpu *c, u32 b)
{
    u32 high = c->state.gpr[RDX];
    u64 dividend = (u64)high << 32 | (u32)c->state.gpr[RAX];
    if (unlikely(b <= high))
        return false;
    c->state.gpr[RAX] = dividend / b;
    c->state.gpr[RDX] = dividend % b;
    return true;
}

#ifdef FAST_WIDE
static inline void mul_a64(struct cpu *c, u64 b, u32 *flags)
{
    unsigned __int128 r = (unsigned __int128)c->state.gpr[RAX] * b;
    c->state.gpr[RAX] = r;
    c->state.gpr[RDX] = r >> 64;
    multiplied(r >> 64 != 0, flags);
}

static inline void imul_a64(struct cpu *c, u64 b, u32 *flags)
{
    __int128 r = (__int128)(s64)c->state.gpr[RAX] * (s64)b;
    c->state.gpr[RAX] = r;
    c->state.gpr[RDX] = r >> 64;
    multiplied(r != (s64)r, flags);
}

static inline bool div_a64(struct cpu *c, u64 b)
{
    u64 *low = &c->state.gpr[RAX], *high = &c->state.gpr[RDX];
    if (unlikely(b <= *high))
        return false;
    asm("divq %[b]" : "+a"(*low), "+d"(*high) : [b] "r"(b) : "cc");
    return true;
}
#endif

#define ACCUMULATOR_FORMS(name, w, act)                                                             \
    FAST(name##_r##w)                                                                               \
    {                                                                                               \
        const u##w *p = o->dst;                                                                     \
        act;                                                                                        \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_m##w)                                                                               \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        act;                                                                                        \
        NEXT;                                                                                       \
    }
#define ACCUMULATOR_SIZE(w) \
    ACCUMULATOR_FORMS(mul, w, mul_a##w(c, *p, &flags)) \
    ACCUMULATOR_FORMS(imul, w, imul_a##w(c, *p, &flags)) \
    ACCUMULATOR_FORMS(div, w, if (unlikely(!div_a##w(c, *p))) GIVE_UP)
ACCUMULATOR_SIZE(32)
IF_WIDE(ACCUMULATOR_SIZE(64))

#define LARGE(name, form) { NULL, NULL, name##_##form##32, IF_WIDE(name##_##form##64) }
#define EACH(name, form) { name##_##form##8, name##_##form##16, name##_##form##32, IF_WIDE(name##_##form##64) }
#define BINARY_ROWS(id, name) \
    { MN_##id, FORM_RR, EACH(name, rr) }, { MN_##id, FORM_RM, EACH(name, rm) }, { MN_##id, FORM_MR, EACH(name, mr) }
#define ACCUMULATOR_ROWS(id, name) { MN_##id, FORM_R, LARGE(name, r) }, { MN_##id, FORM_M, LARGE(name, m) }
#define UNARY_ROWS(id, name) { MN_##id, FORM_R, EACH(name, r) }, { MN_##id, FORM_M, EACH(name, m) }

const struct fast_row FAST_ROWS(fast_alu_rows)[] = {
    BINARY_ROWS(ADD, add), BINARY_ROWS(OR, or), BINARY_ROWS(ADC, adc), BINARY_ROWS(SBB, sbb), BINARY_ROWS(AND, and),
    BINARY_ROWS(SUB, sub), BINARY_ROWS(XOR, xor), BINARY_ROWS(CMP, cmp), BINARY_ROWS(TEST, test),
    UNARY_ROWS(INC, inc), UNARY_ROWS(DEC, dec), UNARY_ROWS(NEG, neg), UNARY_ROWS(NOT, not),
    { MN_IMUL, FORM_RR, LARGE(imul, rr) }, { MN_IMUL, FORM_RM, LARGE(imul, rm) },
    { MN_IMUL, FORM_RRI, LARGE(imul, rri) }, { MN_IMUL, FORM_RMI, LARGE(imul, rmi) },
    ACCUMULATOR_ROWS(MUL, mul), ACCUMULATOR_ROWS(IMUL, imul), ACCUMULATOR_ROWS(DIV, div),
    { 0 },
};
