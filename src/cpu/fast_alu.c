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
    BINARY(name, insn "b", 8, before, clear) BINARY(name, insn "w", 16, before, clear) BINARY(name, insn "l", 32, before, clear)

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
    COMPARE(name, insn "b", 8, clear) COMPARE(name, insn "w", 16, clear) COMPARE(name, insn "l", 32, clear)
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
#define UNARY_SIZES(name, insn, keep) UNARY(name, insn "b", 8, keep) UNARY(name, insn "w", 16, keep) UNARY(name, insn "l", 32, keep)
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
#define SIZES(forms, name) forms(name, 8) forms(name, 16) forms(name, 32)
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

/* Two- and three-operand IMUL, 32 bits: only CF and OF are defined. */
static inline u32 imul(u32 a, u32 b, u32 *flags)
{
    u32 out;
    asm("imull %[b], %[a]" READ_FLAGS : [a] "+r"(a), "=&a"(out) : [b] "r"(b) : "cc");
    *flags = (*flags & ~(u32)(FAST_CF | FAST_OF)) | (out & (FAST_CF | FAST_OF));
    return a;
}

FAST(imul_rr)
{
    put32(o->dst, imul(*(u32 *)o->dst, *(const u32 *)o->src, &flags));
    NEXT;
}

FAST(imul_rm)
{
    const t32 *p = fast_memory(c, o, 4, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    put32(o->dst, imul(*(u32 *)o->dst, *p, &flags));
    NEXT;
}

FAST(imul_rri)
{
    put32(o->dst, imul(*(const u32 *)o->src, o->imm, &flags));
    NEXT;
}

FAST(imul_rmi)
{
    const t32 *p = fast_memory(c, o, 4, ACCESS_READ);
    if (unlikely(!p))
        GIVE_UP;
    put32(o->dst, imul(*p, o->imm, &flags));
    NEXT;
}

/* MUL, IMUL and DIV of EDX:EAX by 32 bits. */
static inline void multiply(struct cpu *c, u64 product, bool overflow, u32 *flags)
{
    c->state.gpr[RAX] = (u32)product;
    c->state.gpr[RDX] = product >> 32;
    *flags = (*flags & ~(u32)(FAST_CF | FAST_OF)) | (overflow ? FAST_CF | FAST_OF : 0);
}

static inline void mul32(struct cpu *c, u32 b, u32 *flags)
{
    u64 r = (u64)(u32)c->state.gpr[RAX] * b;
    multiply(c, r, r >> 32 != 0, flags);
}

static inline void imul32(struct cpu *c, u32 b, u32 *flags)
{
    s64 r = (s64)(s32)c->state.gpr[RAX] * (s32)b;
    multiply(c, r, r != (s32)r, flags);
}

/* False: it raises #DE. */
static inline bool div32(struct cpu *c, u32 b)
{
    u32 high = c->state.gpr[RDX];
    u64 dividend = (u64)high << 32 | (u32)c->state.gpr[RAX];
    if (unlikely(b <= high))
        return false;
    c->state.gpr[RAX] = dividend / b;
    c->state.gpr[RDX] = dividend % b;
    return true;
}

#define ACCUMULATOR_FORMS(name, act)                                                                \
    FAST(name##_r)                                                                                  \
    {                                                                                               \
        const u32 *p = o->dst;                                                                      \
        act;                                                                                        \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_m)                                                                                  \
    {                                                                                               \
        const t32 *p = fast_memory(c, o, 4, ACCESS_READ);                                           \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        act;                                                                                        \
        NEXT;                                                                                       \
    }
ACCUMULATOR_FORMS(mul, mul32(c, *p, &flags))
ACCUMULATOR_FORMS(imul, imul32(c, *p, &flags))
ACCUMULATOR_FORMS(div, if (unlikely(!div32(c, *p))) GIVE_UP)
#define ACCUMULATOR_ROWS(id, name) { MN_##id, FORM_R, { NULL, NULL, name##_r } }, { MN_##id, FORM_M, { NULL, NULL, name##_m } }

#define TRIPLE(name, form) { name##_##form##8, name##_##form##16, name##_##form##32 }
#define BINARY_ROWS(id, name) \
    { MN_##id, FORM_RR, TRIPLE(name, rr) }, { MN_##id, FORM_RM, TRIPLE(name, rm) }, { MN_##id, FORM_MR, TRIPLE(name, mr) }
#define UNARY_ROWS(id, name) { MN_##id, FORM_R, TRIPLE(name, r) }, { MN_##id, FORM_M, TRIPLE(name, m) }

const struct fast_row fast_alu_rows[] = {
    BINARY_ROWS(ADD, add), BINARY_ROWS(OR, or), BINARY_ROWS(ADC, adc), BINARY_ROWS(SBB, sbb), BINARY_ROWS(AND, and),
    BINARY_ROWS(SUB, sub), BINARY_ROWS(XOR, xor), BINARY_ROWS(CMP, cmp), BINARY_ROWS(TEST, test),
    UNARY_ROWS(INC, inc), UNARY_ROWS(DEC, dec), UNARY_ROWS(NEG, neg), UNARY_ROWS(NOT, not),
    { MN_IMUL, FORM_RR, { NULL, NULL, imul_rr } }, { MN_IMUL, FORM_RM, { NULL, NULL, imul_rm } },
    { MN_IMUL, FORM_RRI, { NULL, NULL, imul_rri } }, { MN_IMUL, FORM_RMI, { NULL, NULL, imul_rmi } },
    ACCUMULATOR_ROWS(MUL, mul), ACCUMULATOR_ROWS(IMUL, imul), ACCUMULATOR_ROWS(DIV, div),
    { 0 },
};
