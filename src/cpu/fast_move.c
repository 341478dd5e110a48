/* SPDX-License-Identifier: MIT */
/* Specialised moves: MOV, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, and the sign extensions of the accumulator. */
#include "cpu/fast.h"

#define MOV_FORMS(w)                                                                                \
    FAST(mov_rr##w)                                                                                 \
    {                                                                                               \
        put##w(o->dst, *(const t##w *)o->src);                                                      \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(mov_rm##w)                                                                                 \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put##w(o->dst, *p);                                                                         \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(mov_mr##w)                                                                                 \
    {                                                                                               \
        t##w *p = fast_memory(c, o, w / 8, ACCESS_WRITE);                                           \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        *p = *(const t##w *)o->src;                                                                 \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(xchg_rr##w)                                                                                \
    {                                                                                               \
        t##w a = *(t##w *)o->dst, b = *(const t##w *)o->src;                                        \
        put##w(o->dst, b);                                                                          \
        put##w((void *)o->src, a);                                                                  \
        NEXT;                                                                                       \
    }
MOV_FORMS(8)
MOV_FORMS(16)
MOV_FORMS(32)

/* To 32 bits from narrower ones. fast.c chooses by the second operand's size. */
#define EXTEND_FORMS(name, from, size)                                                              \
    FAST(name##_rr)                                                                                 \
    {                                                                                               \
        put32(o->dst, *(const from *)o->src);                                                       \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_rm)                                                                                 \
    {                                                                                               \
        const from *p = fast_memory(c, o, size, ACCESS_READ);                                       \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put32(o->dst, *p);                                                                          \
        NEXT;                                                                                       \
    }
EXTEND_FORMS(movzx8, u8, 1)
EXTEND_FORMS(movzx16, t16, 2)
EXTEND_FORMS(movsx8, s8, 1)
EXTEND_FORMS(movsx16, st16, 2)

FAST(lea)
{
    put32(o->dst, fast_offset(o));
    NEXT;
}

FAST(cdq)
{
    c->state.gpr[RDX] = (u32)((s32)c->state.gpr[RAX] >> 31);
    NEXT;
}

FAST(cwde)
{
    c->state.gpr[RAX] = (u32)(s16)c->state.gpr[RAX];
    NEXT;
}

FAST(bswap)
{
    put32(o->dst, __builtin_bswap32(*(u32 *)o->dst));
    NEXT;
}

FAST(nop)
{
    NEXT;
}

#define CONDITIONAL(cc, condition)                                                                  \
    FAST(set_##cc)                                                                                  \
    {                                                                                               \
        put8(o->dst, (condition) != 0);                                                             \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(cmov_##cc)                                                                                 \
    {                                                                                               \
        put32(o->dst, (condition) ? *(const u32 *)o->src : *(u32 *)o->dst);                         \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(set_m_##cc)                                                                                \
    {                                                                                               \
        u8 *p = fast_memory(c, o, 1, ACCESS_WRITE);                                                 \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        *p = (condition) != 0;                                                                      \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(cmov_m_##cc) /* reads memory in any case */                                                \
    {                                                                                               \
        const t32 *p = fast_memory(c, o, 4, ACCESS_READ);                                           \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put32(o->dst, (condition) ? *p : *(u32 *)o->dst);                                           \
        NEXT;                                                                                       \
    }
FAST_CONDITIONS(CONDITIONAL)

#define CONDITIONAL_ROWS(cc, condition) \
    { MN_SET##cc, FORM_R, { set_##cc } }, { MN_SET##cc, FORM_M, { set_m_##cc } }, \
    { MN_CMOV##cc, FORM_RR, { NULL, NULL, cmov_##cc } }, { MN_CMOV##cc, FORM_RM, { NULL, NULL, cmov_m_##cc } },

/* MOVZX and MOVSX stand with the size of their second operand, as fast.c looks them up. */
const struct fast_row fast_move_rows[] = {
    { MN_MOV, FORM_RR, { mov_rr8, mov_rr16, mov_rr32 } },
    { MN_MOV, FORM_RM, { mov_rm8, mov_rm16, mov_rm32 } },
    { MN_MOV, FORM_MR, { mov_mr8, mov_mr16, mov_mr32 } },
    { MN_XCHG, FORM_RR, { xchg_rr8, xchg_rr16, xchg_rr32 } },
    { MN_MOVZX, FORM_RR, { movzx8_rr, movzx16_rr } },
    { MN_MOVZX, FORM_RM, { movzx8_rm, movzx16_rm } },
    { MN_MOVSX, FORM_RR, { movsx8_rr, movsx16_rr } },
    { MN_MOVSX, FORM_RM, { movsx8_rm, movsx16_rm } },
    { MN_LEA, FORM_RM, { NULL, NULL, lea } },
    { MN_CWD, FORM_NONE, { NULL, NULL, cdq } },
    { MN_CBW, FORM_NONE, { NULL, NULL, cwde } },
    { MN_BSWAP, FORM_R, { NULL, NULL, bswap } },
    { MN_NOP, FORM_NONE, { nop, nop, nop } },
    { MN_NOP, FORM_R, { nop, nop, nop } },
    { MN_NOP, FORM_M, { nop, nop, nop } },
    { MN_LFENCE, FORM_NONE, { nop, nop, nop } },
    { MN_MFENCE, FORM_NONE, { nop, nop, nop } },
    { MN_SFENCE, FORM_NONE, { nop, nop, nop } },
    FAST_CONDITIONS(CONDITIONAL_ROWS)
    { 0 },
};
