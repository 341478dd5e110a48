/* SPDX-License-Identifier: MIT */
#include "cpu/integer.h"

/* The sixteen instructions of one condition family stand one behind the other. */
#define CONDITIONS(prefix, exec)                                                                                     \
    { MN_##prefix##O, exec }, { MN_##prefix##NO, exec }, { MN_##prefix##B, exec }, { MN_##prefix##AE, exec },          \
    { MN_##prefix##E, exec }, { MN_##prefix##NE, exec }, { MN_##prefix##BE, exec }, { MN_##prefix##A, exec },          \
    { MN_##prefix##S, exec }, { MN_##prefix##NS, exec }, { MN_##prefix##P, exec }, { MN_##prefix##NP, exec },          \
    { MN_##prefix##L, exec }, { MN_##prefix##GE, exec }, { MN_##prefix##LE, exec }, { MN_##prefix##G, exec }

const struct handler integer_handlers[] = {
    { MN_ADD, exec_add }, { MN_ADC, exec_adc }, { MN_SUB, exec_sub }, { MN_SBB, exec_sbb }, { MN_CMP, exec_cmp },
    { MN_INC, exec_inc }, { MN_DEC, exec_dec }, { MN_NEG, exec_neg }, { MN_XADD, exec_xadd }, { MN_CMPXCHG, exec_cmpxchg },
    { MN_CMPXCHG8B, exec_cmpxchg8b }, { MN_CMPXCHG16B, exec_cmpxchg8b },
    { MN_AND, exec_and }, { MN_OR, exec_or }, { MN_XOR, exec_xor }, { MN_TEST, exec_test }, { MN_NOT, exec_not },
    { MN_MUL, exec_mul }, { MN_IMUL, exec_imul }, { MN_DIV, exec_div }, { MN_IDIV, exec_idiv }, { MN_CBW, exec_cbw }, { MN_CWD, exec_cwd },
    { MN_DAA, exec_daa }, { MN_DAS, exec_das }, { MN_AAA, exec_aaa }, { MN_AAS, exec_aas }, { MN_AAM, exec_aam }, { MN_AAD, exec_aad },
    { MN_SALC, exec_salc },
    { MN_ROL, exec_rol }, { MN_ROR, exec_ror }, { MN_RCL, exec_rcl }, { MN_RCR, exec_rcr }, { MN_SHL, exec_shl }, { MN_SHR, exec_shr },
    { MN_SAR, exec_sar }, { MN_SHLD, exec_shld }, { MN_SHRD, exec_shrd },
    { MN_BT, exec_bt }, { MN_BTS, exec_bts }, { MN_BTR, exec_btr }, { MN_BTC, exec_btc }, { MN_BSF, exec_bsf }, { MN_BSR, exec_bsr },
    { MN_BSWAP, exec_bswap },
    { MN_MOV, exec_mov }, { MN_MOVZX, exec_mov }, { MN_MOVSX, exec_movsx }, { MN_MOVSXD, exec_movsx }, { MN_MOVNTI, exec_mov },
    { MN_XCHG, exec_xchg }, { MN_LEA, exec_lea }, { MN_XLAT, exec_xlat }, { MN_NOP, exec_nop },
    { MN_CLC, exec_clc }, { MN_STC, exec_stc }, { MN_CMC, exec_cmc }, { MN_CLD, exec_cld }, { MN_STD, exec_std },
    { MN_LAHF, exec_lahf }, { MN_SAHF, exec_sahf },
    { MN_PUSH, exec_push }, { MN_POP, exec_pop }, { MN_PUSHA, exec_pusha }, { MN_POPA, exec_popa }, { MN_ENTER, exec_enter },
    { MN_LEAVE, exec_leave },
    { MN_CALL, exec_call }, { MN_JMP, exec_jmp }, { MN_RET, exec_ret }, { MN_LOOP, exec_loop }, { MN_LOOPE, exec_loope },
    { MN_LOOPNE, exec_loopne }, { MN_JCXZ, exec_jcxz },
    CONDITIONS(J, exec_jcc), CONDITIONS(SET, exec_setcc), CONDITIONS(CMOV, exec_cmovcc),
    { 0, NULL },
};
