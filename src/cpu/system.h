/* SPDX-License-Identifier: MIT */
/* Inside src/cpu: the handlers of system instructions, by file. system.c joins them into one table. */
#ifndef EMU_CPU_SYSTEM_H
#define EMU_CPU_SYSTEM_H

#include "cpu/internal.h"

/* segment.c */
exec_fn exec_mov_sreg, exec_push_sreg, exec_pop_sreg, exec_lds;
/* verify.c */
exec_fn exec_lar, exec_lsl, exec_verr, exec_verw, exec_arpl;
/* dtable.c */
exec_fn exec_sgdt, exec_sidt, exec_lgdt, exec_lidt, exec_sldt, exec_str, exec_lldt, exec_ltr;
/* transfer.c, return.c, softint.c, sysenter.c */
exec_fn exec_jmpf, exec_callf, exec_retf, exec_iret;
exec_fn exec_int, exec_int1, exec_int3, exec_into, exec_bound;
exec_fn exec_sysenter, exec_sysexit, exec_syscall, exec_sysret, exec_swapgs;
/* control.c, debugreg.c */
exec_fn exec_mov_cr, exec_mov_dr, exec_clts, exec_lmsw, exec_smsw, exec_invlpg;
/* flags.c */
exec_fn exec_cli, exec_sti, exec_pushf, exec_popf;
/* io.c */
exec_fn exec_in, exec_out;
/* msr.c */
exec_fn exec_rdmsr, exec_wrmsr, exec_rdtsc, exec_rdtscp, exec_rdpmc;

/* What a monitor wants to know of the instruction: kind, mnemonic, register or memory operand, size. */
struct icept_info icept_operand(struct cpu *c, const struct insn *i, enum intercept kind, bool write);
/* #UD outside protected mode (real, virtual-8086). */
void require_protected(struct cpu *c);
/* #GP(0) above ring 0. */
void require_ring0(struct cpu *c);

#endif
