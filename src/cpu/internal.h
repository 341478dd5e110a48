/* SPDX-License-Identifier: MIT */
/*
 * Inside src/cpu only: how the interpreter's files speak with one another.
 *
 * An instruction is executed by the handler of its mnemonic. When a handler runs, state.rip already points at
 * the next instruction and c->insn_rip at this one. A handler raises a fault by raise_*(), which does not return: the
 * interpreter unwinds, puts RIP back and delivers (or stops, if intercepted). So a handler reads and checks first, and
 * writes registers last: an instruction that faults has changed nothing (but for what the SDM says it may).
 */
#ifndef EMU_CPU_INTERNAL_H
#define EMU_CPU_INTERNAL_H

#include "cpu/cpu.h"

typedef void exec_fn(struct cpu *c, const struct insn *i);
struct handler { u16 mnemonic; exec_fn *exec; };
/* Each file of instructions brings one table, ended by { 0, NULL }; interp.c joins them and a test checks that no row is without one. */
extern const struct handler integer_handlers[];     /* arithmetic, logic, moves, shifts, bits, near control flow, stack */
extern const struct handler string_handlers[];      /* MOVS.. with REP, INS, OUTS */
extern const struct handler system_handlers[];      /* segments, far transfers, gates, descriptor tables, control registers, MSRs, I/O, HLT... */
extern const struct handler fpu_handlers[];         /* x87, MMX, SSE, FXSAVE */

/* --- faults (raise.c). Never return: they leave the reason in c->stop (kind STOP_TRAP, STOP_INTERCEPT or STOP_STAGE2) and
 * siglongjmp(c->unwind, 1). Who calls handlers or deliver_once() must have done sigsetjmp(c->unwind, 0); the interpreter
 * does it anew after each cpu_deliver(), so that may use c->unwind for itself. --- */
_Noreturn void raise_fault(struct cpu *c, u8 vector);                    /* without error code */
_Noreturn void raise_error(struct cpu *c, u8 vector, u32 error);         /* with */
_Noreturn void raise_mmu(struct cpu *c, const struct mmu_fault *f);      /* #PF, or STOP_STAGE2 */
_Noreturn void raise_debug(struct cpu *c, u64 dr6);                       /* #DB with these bits of DR6 */
_Noreturn void raise_soft(struct cpu *c, u8 vector, enum trap_type type); /* INT n, INT3, INTO, INT1: a trap; insn_len from the current instruction */
_Noreturn void raise_intercept(struct cpu *c, const struct icept_info *info); /* STOP_INTERCEPT; insn_len is filled in */
static inline bool intercepted(const struct cpu *c, enum intercept k) { return unlikely(c->icept & BIT(k)); }

/* --- ports (system.c): IOPL and the TSS's bitmap; raises #GP(0). --- */
void check_io(struct cpu *c, u16 port, unsigned size);
/* Does the monitor want this port access? SDM vol. 3, 25.1.3 */
static inline bool io_intercepted(const struct cpu *c, u16 port, unsigned size)
{
    if (!intercepted(c, ICEPT_IO))
        return false;
    for (unsigned p = port; c->icept_io_bitmap && p < port + size; p++)
        if (p > 0xffff || c->icept_io_bitmap[p >> 3] >> (p & 7) & 1)
            return true;
    return !c->icept_io_bitmap;
}

/* --- memory (access.c): size 1, 2, 4 or 8; segment checks (limit, type, null), alignment check, then paging --- */
u64 seg_read(struct cpu *c, unsigned seg, u64 offset, unsigned size);
void seg_write(struct cpu *c, unsigned seg, u64 offset, unsigned size, u64 value);
void seg_read_bytes(struct cpu *c, unsigned seg, u64 offset, void *buf, unsigned len);      /* FXRSTOR, XMM: up to 512 bytes */
void seg_write_bytes(struct cpu *c, unsigned seg, u64 offset, const void *buf, unsigned len); /* all or nothing: probes first */
gva_t seg_linear(struct cpu *c, unsigned seg, u64 offset, unsigned size, bool write);       /* checked linear address */
/* By linear address, at the current CPL or as the processor's own (implicit supervisor) access: descriptor tables, TSS. */
u64 lin_read(struct cpu *c, gva_t gva, unsigned size);
void lin_write(struct cpu *c, gva_t gva, unsigned size, u64 value);
u64 lin_read_system(struct cpu *c, gva_t gva, unsigned size);
void lin_write_system(struct cpu *c, gva_t gva, unsigned size, u64 value);
/* mmu_translate() that charges its references (--timing=model) and raises where that fails. */
void walk(struct cpu *c, gva_t gva, enum mmu_access a, bool user, gpa_t *gpa, u8 **hva);
/* Would that write succeed? Raises if not. For instructions that must check before they change anything. */
void lin_probe_write(struct cpu *c, gva_t gva, unsigned len, bool user);

/* --- operands (access.c) --- */
u64 ea_offset(const struct cpu *c, const struct insn *i);       /* effective address, wrapped to adsize */
u64 opd_read(struct cpu *c, const struct insn *i, unsigned n);  /* GPR, MEM, IMM, SREG: zero-extended from op[n].size */
u64 opd_modify(struct cpu *c, const struct insn *i, unsigned n); /* the same for one that is written back: raises what the write would */
void opd_write(struct cpu *c, const struct insn *i, unsigned n, u64 value); /* GPR (32-bit clears the upper half), MEM */
u64 gpr_get(const struct cpu *c, unsigned reg, unsigned size);
void gpr_set(struct cpu *c, unsigned reg, unsigned size, u64 value);
/* Stack: by SS.B (or 64-bit); push checks and writes before it moves ESP. */
void push(struct cpu *c, unsigned size, u64 value);
u64 pop(struct cpu *c, unsigned size);
static inline unsigned stack_size(const struct cpu *c)
{
    return state_code_bits(&c->state) == 64 ? 8 : c->state.seg[SS].attr & SEG_DB ? 4 : 2;
}

/* What of a segment's base counts: in 64-bit mode only FS and GS have one (SDM vol. 3, 3.4.4). */
static inline u64 seg_base(const struct cpu *c, unsigned seg)
{
    return state_code_bits(&c->state) == 64 && seg < FS ? 0 : c->state.seg[seg].base;
}
/* Linear address of a system structure (descriptor table, TSS): 64 bits wide in IA-32e mode, whatever code runs there. */
static inline gva_t system_gva(const struct cpu *c, gva_t gva) { return state_long(&c->state) ? gva : (u32)gva; }

/* --- segments and transfers (segment.c, transfer.c, task.c) --- */
static inline unsigned cpl(const struct cpu *c) { return state_cpl(&c->state); }
static inline unsigned iopl(const struct cpu *c) { return c->state.rflags >> 12 & 3; }
void load_segment(struct cpu *c, unsigned seg, u16 selector);                    /* MOV/POP to DS, ES, FS, GS, SS with all checks */
void far_jump(struct cpu *c, u16 selector, u64 offset, unsigned opsize);
void far_call(struct cpu *c, u16 selector, u64 offset, unsigned opsize);
void far_return(struct cpu *c, unsigned opsize, u16 pop_bytes);
void interrupt_return(struct cpu *c, unsigned opsize);                           /* IRET in all its forms */
enum task_switch_by { TASK_JMP, TASK_CALL, TASK_IRET, TASK_INT };
void task_switch(struct cpu *c, u16 tss_selector, enum task_switch_by by, bool has_error, u32 error);
void check_jump_target(struct cpu *c, u64 rip);                                  /* CS limit, or canonical: #GP(0) */

/* --- exceptions (exception.c) --- */
/* One attempt to deliver through the IDT; raises (unwinds) if that faults. cpu_deliver() wraps it with the double-fault rules. */
void deliver_once(struct cpu *c, const struct trap *t);
/* Does the monitor want this event instead of the guest's handler? icept_exc, icept_pf_*, icept_soft_int (SDM vol. 3, 25.2). */
bool exception_intercepted(const struct cpu *c, const struct trap *t);

/* --- FPU, MMX, SSE (stub.c): what cpu_init() and cpu_fini() call. 0, or -1 with *err. --- */
int fpu_unit_new(struct cpu *c, struct error *err);
void fpu_unit_free(struct cpu *c);

/* The caches hold decoded instructions by linear and physical address and by code size: anything that changes those calls this. */
void interp_code_changed(struct cpu *c);

#endif
