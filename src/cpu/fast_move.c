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
IF_WIDE(MOV_FORMS(64))

/* To 32 and 64 bits from narrower ones. */
#define EXTEND_FORMS(name, w, from, size)                                                              \
    FAST(name##_rr)                                                                                 \
    {                                                                                               \
        put##w(o->dst, *(const from *)o->src);                                                       \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(name##_rm)                                                                                 \
    {                                                                                               \
        const from *p = fast_memory(c, o, size, ACCESS_READ);                                       \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put##w(o->dst, *p);                                                                          \
        NEXT;                                                                                       \
    }
EXTEND_FORMS(movzx8, 32, u8, 1)
EXTEND_FORMS(movzx16, 32, t16, 2)
EXTEND_FORMS(movsx8, 32, s8, 1)
EXTEND_FORMS(movsx16, 32, st16, 2)
IF_WIDE(EXTEND_FORMS(movsx8_64, 64, s8, 1))
IF_WIDE(EXTEND_FORMS(movsx16_64, 64, st16, 2))
IF_WIDE(EXTEND_FORMS(movsxd, 64, st32, 4))

FAST(lea)
{
    put32(o->dst, fast_offset(o));
    NEXT;
}

#ifdef FAST_WIDE
FAST(lea64)
{
    put64(o->dst, fast_offset(o));
    NEXT;
}

FAST(cqo)
{
    c->state.gpr[RDX] = (s64)c->state.gpr[RAX] >> 63;
    NEXT;
}

FAST(cdqe)
{
    c->state.gpr[RAX] = (s64)(s32)c->state.gpr[RAX];
    NEXT;
}

FAST(bswap64)
{
    put64(o->dst, __builtin_bswap64(*(u64 *)o->dst));
    NEXT;
}
#endif

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
    FAST(set_m_##cc)                                                                                \
    {                                                                                               \
        u8 *p = fast_memory(c, o, 1, ACCESS_WRITE);                                                 \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        *p = (condition) != 0;                                                                      \
        NEXT;                                                                                       \
    }
#define CONDITIONAL_MOVE(cc, condition, w)                                                          \
    FAST(cmov_##cc##w)                                                                              \
    {                                                                                               \
        put##w(o->dst, (condition) ? *(const u##w *)o->src : *(u##w *)o->dst);                      \
        NEXT;                                                                                       \
    }                                                                                               \
    FAST(cmov_m_##cc##w) /* reads memory in any case */                                             \
    {                                                                                               \
        const t##w *p = fast_memory(c, o, w / 8, ACCESS_READ);                                      \
        if (unlikely(!p))                                                                           \
            GIVE_UP;                                                                                \
        put##w(o->dst, (condition) ? *p : *(u##w *)o->dst);                                         \
        NEXT;                                                                                       \
    }
#define CONDITIONAL_MOVES(cc, condition) CONDITIONAL_MOVE(cc, condition, 32) IF_WIDE(CONDITIONAL_MOVE(cc, condition, 64))
FAST_CONDITIONS(CONDITIONAL)
FAST_CONDITIONS(CONDITIONAL_MOVES)

#define CONDITIONAL_ROWS(cc, condition) \
    { MN_SET##cc, FORM_R, { set_##cc } }, { MN_SET##cc, FORM_M, { set_m_##cc } }, \
    { MN_CMOV##cc, FORM_RR, { NULL, NULL, cmov_##cc##32, IF_WIDE(cmov_##cc##64) } }, \
    { MN_CMOV##cc, FORM_RM, { NULL, NULL, cmov_m_##cc##32, IF_WIDE(cmov_m_##cc##64) } },

/* MOVZX and MOVSX stand as fast.c looks them up: from 1 and from 2 bytes to 4, then to 8. */
#define MOV_ROW(form) { mov_##form##8, mov_##form##16, mov_##form##32, IF_WIDE(mov_##form##64) }
const struct fast_row FAST_ROWS(fast_move_rows)[] = {
    { MN_MOV, FORM_RR, MOV_ROW(rr) },
    { MN_MOV, FORM_RM, MOV_ROW(rm) },
    { MN_MOV, FORM_MR, MOV_ROW(mr) },
    { MN_XCHG, FORM_RR, { xchg_rr8, xchg_rr16, xchg_rr32, IF_WIDE(xchg_rr64) } },
    { MN_MOVZX, FORM_RR, { movzx8_rr, movzx16_rr, IF_WIDE(movzx8_rr, movzx16_rr) } },
    { MN_MOVZX, FORM_RM, { movzx8_rm, movzx16_rm, IF_WIDE(movzx8_rm, movzx16_rm) } },
    { MN_MOVSX, FORM_RR, { movsx8_rr, movsx16_rr, IF_WIDE(movsx8_64_rr, movsx16_64_rr) } },
    { MN_MOVSX, FORM_RM, { movsx8_rm, movsx16_rm, IF_WIDE(movsx8_64_rm, movsx16_64_rm) } },
    IF_WIDE({ MN_MOVSXD, FORM_RR, { [3] = movsxd_rr } }, { MN_MOVSXD, FORM_RM, { [3] = movsxd_rm } },)
    { MN_LEA, FORM_RM, { NULL, NULL, lea, IF_WIDE(lea64) } },
    { MN_CWD, FORM_NONE, { NULL, NULL, cdq, IF_WIDE(cqo) } },
    { MN_CBW, FORM_NONE, { NULL, NULL, cwde, IF_WIDE(cdqe) } },
    { MN_BSWAP, FORM_R, { NULL, NULL, bswap, IF_WIDE(bswap64) } },
    { MN_NOP, FORM_NONE, { nop, nop, nop, nop } },
    { MN_NOP, FORM_R, { nop, nop, nop, nop } },
    { MN_NOP, FORM_M, { nop, nop, nop, nop } },
    { MN_LFENCE, FORM_NONE, { nop, nop, nop, nop } },
    { MN_MFENCE, FORM_NONE, { nop, nop, nop, nop } },
    { MN_SFENCE, FORM_NONE, { nop, nop, nop, nop } },
    FAST_CONDITIONS(CONDITIONAL_ROWS)
    { 0 },
};
