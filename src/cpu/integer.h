/* SPDX-License-Identifier: MIT */
/* Inside src/cpu: the handlers of integer instructions, by file. integer.c joins them into one table. */
#ifndef EMU_CPU_INTEGER_H
#define EMU_CPU_INTEGER_H

#include "cpu/aluflags.h"
#include "cpu/internal.h"

/* arith.c, muldiv.c, decimal.c */
exec_fn exec_add, exec_adc, exec_sub, exec_sbb, exec_cmp, exec_inc, exec_dec, exec_neg, exec_xadd, exec_cmpxchg, exec_cmpxchg8b;
exec_fn exec_and, exec_or, exec_xor, exec_test, exec_not;
exec_fn exec_mul, exec_imul, exec_div, exec_idiv, exec_cbw, exec_cwd;
exec_fn exec_daa, exec_das, exec_aaa, exec_aas, exec_aam, exec_aad, exec_salc;
/* shift.c, bit.c */
exec_fn exec_rol, exec_ror, exec_rcl, exec_rcr, exec_shl, exec_shr, exec_sar, exec_shld, exec_shrd;
exec_fn exec_bt, exec_bts, exec_btr, exec_btc, exec_bsf, exec_bsr, exec_bswap;
/* move.c, near.c */
exec_fn exec_mov, exec_movsx, exec_xchg, exec_lea, exec_xlat, exec_setcc, exec_cmovcc, exec_nop;
exec_fn exec_clc, exec_stc, exec_cmc, exec_cld, exec_std, exec_lahf, exec_sahf;
exec_fn exec_push, exec_pop, exec_pusha, exec_popa, exec_enter, exec_leave;
exec_fn exec_call, exec_jmp, exec_ret, exec_jcc, exec_loop, exec_loope, exec_loopne, exec_jcxz;

#endif
