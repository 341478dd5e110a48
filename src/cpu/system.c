/* SPDX-License-Identifier: MIT */
/* System instructions: the table of their handlers, what they share, and the few that are one line. */
#include "cpu/system.h"

void require_protected(struct cpu *c)
{
    if (state_real(&c->state) || state_v86(&c->state))
        raise_fault(c, VEC_UD);
}

void require_ring0(struct cpu *c)
{
    if (cpl(c))
        raise_error(c, VEC_GP, 0);
}

static gva_t operand_linear(struct cpu *c, const struct insn *i)
{
    u64 gva = seg_base(c, i->mem.seg) + ea_offset(c, i);
    return i->bits == 64 ? gva : (u32)gva;
}

struct icept_info icept_operand(struct cpu *c, const struct insn *i, enum intercept kind, bool write)
{
    struct icept_info info = { .kind = kind, .mnemonic = i->mnemonic, .write = write, .size = i->opsize };
    for (unsigned n = 0; n < ARRAY_LEN(i->op); n++) {
        if (i->op[n].kind == OPD_GPR)
            info.reg = i->op[n].reg;
        if (i->op[n].kind == OPD_MEM)
            info.gva = operand_linear(c, i);
    }
    return info;
}

static void check_intercept(struct cpu *c, const struct insn *i, enum intercept kind)
{
    if (intercepted(c, kind)) {
        struct icept_info info = icept_operand(c, i, kind, false);
        raise_intercept(c, &info);
    }
}

static void exec_undefined(struct cpu *c, const struct insn *i) { raise_fault(c, VEC_UD); }
static void exec_nothing(struct cpu *c, const struct insn *i) { }
static void exec_pause(struct cpu *c, const struct insn *i) { check_intercept(c, i, ICEPT_PAUSE); }

static void exec_hlt(struct cpu *c, const struct insn *i)
{
    require_ring0(c);
    check_intercept(c, i, ICEPT_HLT);
    c->state.activity = CPU_HALTED;
}

static void exec_cpuid(struct cpu *c, const struct insn *i)
{
    struct cpu_state *s = &c->state;
    u32 out[4];
    check_intercept(c, i, ICEPT_CPUID);
    cpu_cpuid(c, s->gpr[RAX], s->gpr[RCX], out);
    s->gpr[RAX] = out[0];
    s->gpr[RBX] = out[1];
    s->gpr[RCX] = out[2];
    s->gpr[RDX] = out[3];
}

/* Caches are not modelled: there is nothing to write back. */
static void exec_invd(struct cpu *c, const struct insn *i)
{
    require_ring0(c);
    check_intercept(c, i, i->mnemonic == MN_INVD ? ICEPT_INVD : ICEPT_WBINVD);
}

/* A line is flushed as a byte is read: the same faults (SDM vol. 2, CLFLUSH). */
static void exec_clflush(struct cpu *c, const struct insn *i)
{
    seg_read(c, i->mem.seg, ea_offset(c, i), 1);
}

/* No VMX, no MONITOR, no SMM on the bare processor; a monitor may give them a meaning. */
static void exec_vmx(struct cpu *c, const struct insn *i)
{
    check_intercept(c, i, ICEPT_VMX);
    raise_fault(c, VEC_UD);
}
static void exec_monitor(struct cpu *c, const struct insn *i)
{
    check_intercept(c, i, i->mnemonic == MN_MWAIT ? ICEPT_MWAIT : ICEPT_MONITOR);
    raise_fault(c, VEC_UD);
}
static void exec_rsm(struct cpu *c, const struct insn *i)
{
    check_intercept(c, i, ICEPT_RSM);
    raise_fault(c, VEC_UD);
}

const struct handler system_handlers[] = {
    { MN_MOV_SREG, exec_mov_sreg }, { MN_PUSH_SREG, exec_push_sreg }, { MN_POP_SREG, exec_pop_sreg },
    { MN_LDS, exec_lds }, { MN_LES, exec_lds }, { MN_LFS, exec_lds }, { MN_LGS, exec_lds }, { MN_LSS, exec_lds },
    { MN_LAR, exec_lar }, { MN_LSL, exec_lsl }, { MN_VERR, exec_verr }, { MN_VERW, exec_verw }, { MN_ARPL, exec_arpl },
    { MN_SGDT, exec_sgdt }, { MN_SIDT, exec_sidt }, { MN_LGDT, exec_lgdt }, { MN_LIDT, exec_lidt },
    { MN_SLDT, exec_sldt }, { MN_STR, exec_str }, { MN_LLDT, exec_lldt }, { MN_LTR, exec_ltr },
    { MN_JMPF, exec_jmpf }, { MN_CALLF, exec_callf }, { MN_RETF, exec_retf }, { MN_IRET, exec_iret },
    { MN_INT, exec_int }, { MN_INT1, exec_int1 }, { MN_INT3, exec_int3 }, { MN_INTO, exec_into }, { MN_BOUND, exec_bound },
    { MN_SYSENTER, exec_sysenter }, { MN_SYSEXIT, exec_sysexit }, { MN_SYSCALL, exec_syscall }, { MN_SYSRET, exec_sysret },
    { MN_SWAPGS, exec_swapgs }, { MN_UD0, exec_undefined }, { MN_UD1, exec_undefined }, { MN_UD2, exec_undefined },
    { MN_XGETBV, exec_undefined }, { MN_XSETBV, exec_undefined }, { MN_RDTSCP, exec_rdtscp },
    { MN_MOV_CR, exec_mov_cr }, { MN_MOV_DR, exec_mov_dr }, { MN_CLTS, exec_clts }, { MN_LMSW, exec_lmsw }, { MN_SMSW, exec_smsw },
    { MN_INVLPG, exec_invlpg }, { MN_CLI, exec_cli }, { MN_STI, exec_sti }, { MN_PUSHF, exec_pushf }, { MN_POPF, exec_popf },
    { MN_IN, exec_in }, { MN_OUT, exec_out },
    { MN_RDMSR, exec_rdmsr }, { MN_WRMSR, exec_wrmsr }, { MN_RDTSC, exec_rdtsc }, { MN_RDPMC, exec_rdpmc },
    { MN_HLT, exec_hlt }, { MN_CPUID, exec_cpuid }, { MN_INVD, exec_invd }, { MN_WBINVD, exec_invd }, { MN_PAUSE, exec_pause },
    { MN_CLFLUSH, exec_clflush }, { MN_LFENCE, exec_nothing }, { MN_MFENCE, exec_nothing }, { MN_SFENCE, exec_nothing },
    { MN_PREFETCHNTA, exec_nothing }, { MN_PREFETCHT0, exec_nothing }, { MN_PREFETCHT1, exec_nothing },
    { MN_PREFETCHT2, exec_nothing }, { MN_PREFETCHW, exec_nothing },
    { MN_MONITOR, exec_monitor }, { MN_MWAIT, exec_monitor }, { MN_RSM, exec_rsm },
    { MN_VMCALL, exec_vmx }, { MN_VMLAUNCH, exec_vmx }, { MN_VMRESUME, exec_vmx }, { MN_VMXOFF, exec_vmx }, { MN_VMXON, exec_vmx },
    { MN_VMCLEAR, exec_vmx }, { MN_VMPTRLD, exec_vmx }, { MN_VMPTRST, exec_vmx }, { MN_VMREAD, exec_vmx }, { MN_VMWRITE, exec_vmx },
    { MN_INVEPT, exec_vmx }, { MN_INVVPID, exec_vmx },
    { 0, NULL },
};
