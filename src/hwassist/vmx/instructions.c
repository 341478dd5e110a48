/* SPDX-License-Identifier: MIT */
/*
 * Instructions that non-root operation looks at, SDM vol. 3, chapter 26. Most exit. Accesses of CR0, CR3 and CR4 do so
 * only if they touch what the monitor owns; otherwise the processor completes them itself, the read shadows taken in.
 */
#include "hwassist/vmx/vmx.h"

#include <inttypes.h>

static u64 field(const struct vmx *x, enum vmcs_index i) { return vmcs_get(&x->vmcs, i); }
static const struct icept_info *info(const struct vmx *x) { return &x->cpu->stop.icept; }

static enum vmx_next exits(struct vmx *x, enum vmx_reason reason, u64 qualification)
{
    vmx_exit(x, reason, qualification, info(x)->insn_len);
    vmx_record_vectoring(x);
    return NEXT_LEAVE;
}

/* --- the registers that the monitor may own by the bit --- */

struct shadowed { enum vmcs_index reg, mask, shadow; };
static const struct shadowed cr0_fields = { VMCSI_GUEST_CR0, VMCSI_CR0_MASK, VMCSI_CR0_SHADOW };
static const struct shadowed cr4_fields = { VMCSI_GUEST_CR4, VMCSI_CR4_MASK, VMCSI_CR4_SHADOW };

static u64 guest_view(const struct vmx *x, const struct shadowed *r)
{
    u64 mask = field(x, r->mask);
    return (field(x, r->reg) & ~mask) | (field(x, r->shadow) & mask);
}

/* Is it by the guest's choice different from what the guest believes to be there, in a bit that is not its own? */
static bool touches_owned(const struct vmx *x, const struct shadowed *r, u64 value)
{
    return (value ^ field(x, r->shadow)) & field(x, r->mask);
}

/* #GP(0) of an instruction that the processor completes itself. */
static enum vmx_next deliver_gp(struct vmx *x, enum vmx_outcome *outcome)
{
    struct trap gp = { .vector = VEC_GP, .type = TRAP_FAULT, .has_error = true };
    enum cpu_stop_kind kind = cpu_deliver(x->cpu, &gp);
    return kind == STOP_DEADLINE ? NEXT_RESUME : vmx_on_stop(x, kind, outcome);
}

/* The write failed: a violation where EPT has no page for the PAE pointers, otherwise #GP(0). */
static enum vmx_next refuse_write(struct vmx *x, enum vmx_outcome *outcome)
{
    struct cpu *c = x->cpu;
    if (c->mmu.pdpte_fault.kind != FAULT_STAGE2)
        return deliver_gp(x, outcome);
    c->stop.fault = c->mmu.pdpte_fault;
    c->stop.vectoring = false;
    return vmx_on_stop(x, STOP_STAGE2, outcome);
}

/* CR4.VMXE is set in VMX operation and nothing that a guest could know of: it is held apart from the write. */
static bool write_real(struct cpu *c, unsigned cr, u64 value)
{
    u64 vmxe = c->state.cr4 & CR4_VMXE;
    c->mmu.pdpte_fault.kind = FAULT_NONE;
    c->state.cr4 &= ~(u64)CR4_VMXE;
    bool ok = cpu_write_cr(c, cr, cr == 4 ? value & ~(u64)CR4_VMXE : value);
    c->state.cr4 |= vmxe;
    return ok;
}

static enum vmx_next write_own(struct vmx *x, unsigned cr, u64 value, enum vmx_outcome *outcome)
{
    if (!write_real(x->cpu, cr, value))
        return refuse_write(x, outcome);
    vmx_retire(x->cpu, info(x)->insn_len, x->cpu->cost[cr == 3 ? COST_CR3 : COST_CR]);
    return NEXT_RESUME;
}

static u64 cr_qualification(const struct icept_info *i, enum cr_access access)
{
    return i->cr | access << 4 | (u64)i->reg << 8;
}

static u64 operand(const struct vmx *x)
{
    u64 value = x->cpu->state.gpr[info(x)->reg];
    return state_code_bits(&x->cpu->state) == 64 ? value : (u32)value;
}

static enum vmx_next on_masked_write(struct vmx *x, const struct shadowed *r, enum vmx_outcome *outcome)
{
    u64 value = operand(x), mask = field(x, r->mask);
    if (touches_owned(x, r, value))
        return exits(x, REASON_CR_ACCESS, cr_qualification(info(x), CR_ACCESS_WRITE));
    return write_own(x, info(x)->cr, (field(x, r->reg) & mask) | (value & ~mask), outcome);
}

static enum vmx_next on_cr0_write(struct vmx *x, enum vmx_outcome *o) { return on_masked_write(x, &cr0_fields, o); }
static enum vmx_next on_cr4_write(struct vmx *x, enum vmx_outcome *o) { return on_masked_write(x, &cr4_fields, o); }

/* MOV from CR, SMSW: the instruction is executed with the guest's view in the register's place. */
static enum vmx_next read_view(struct vmx *x, const struct shadowed *r, enum intercept icept, enum vmx_outcome *outcome)
{
    struct cpu *c = x->cpu;
    u64 real = field(x, r->reg), view = guest_view(x, r), saved = c->icept;
    vmcs_set(&x->vmcs, r->reg, view);
    c->icept &= ~BIT(icept);
    enum cpu_stop_kind kind = cpu_step(c);
    c->icept = saved;
    vmcs_set(&x->vmcs, r->reg, real ^ view ^ field(x, r->reg)); /* a task gate on the way may have set TS */
    return kind == STOP_DEADLINE ? NEXT_RESUME : vmx_on_stop(x, kind, outcome);
}

static enum vmx_next on_cr0_read(struct vmx *x, enum vmx_outcome *o) { return read_view(x, &cr0_fields, ICEPT_CR0_READ, o); }
static enum vmx_next on_cr4_read(struct vmx *x, enum vmx_outcome *o) { return read_view(x, &cr4_fields, ICEPT_CR4_READ, o); }

/* CLTS exits only if the monitor owns TS and shows it set; if it owns it and shows it clear, nothing happens. */
static enum vmx_next on_clts(struct vmx *x, enum vmx_outcome *outcome)
{
    bool owned = field(x, VMCSI_CR0_MASK) & CR0_TS;
    if (owned && field(x, VMCSI_CR0_SHADOW) & CR0_TS)
        return exits(x, REASON_CR_ACCESS, CR_ACCESS_CLTS << 4);
    return write_own(x, 0, x->cpu->state.cr0 & ~(u64)(owned ? 0 : CR0_TS), outcome);
}

/* LMSW writes PE (which it can only set), MP, EM and TS; source data in bits 31:16 of the qualification. */
static enum vmx_next on_lmsw(struct vmx *x, enum vmx_outcome *outcome)
{
    u64 low = CR0_PE | CR0_MP | CR0_EM | CR0_TS, mask = field(x, VMCSI_CR0_MASK), real = x->cpu->state.cr0;
    u64 view = guest_view(x, &cr0_fields), value = (view & ~low) | (info(x)->source & low) | (view & CR0_PE);
    if ((value ^ field(x, VMCSI_CR0_SHADOW)) & mask & low)
        return exits(x, REASON_CR_ACCESS, CR_ACCESS_LMSW << 4 | (u64)info(x)->source << 16);
    return write_own(x, 0, (real & (mask | ~low)) | (value & ~mask & low), outcome);
}

static bool is_cr3_target(const struct vmx *x, u64 value)
{
    for (unsigned i = 0; i < field(x, VMCSI_CR3_TARGET_COUNT); i++)
        if (field(x, VMCSI_CR3_TARGET0 + i) == value)
            return true;
    return false;
}

static enum vmx_next on_cr3_write(struct vmx *x, enum vmx_outcome *outcome)
{
    if (is_cr3_target(x, operand(x)))
        return write_own(x, 3, operand(x), outcome);
    return exits(x, REASON_CR_ACCESS, cr_qualification(info(x), CR_ACCESS_WRITE));
}

static enum vmx_next on_cr8_write(struct vmx *x, enum vmx_outcome *o) { return exits(x, REASON_CR_ACCESS, cr_qualification(info(x), CR_ACCESS_WRITE)); }
static enum vmx_next on_cr_read(struct vmx *x, enum vmx_outcome *o) { return exits(x, REASON_CR_ACCESS, cr_qualification(info(x), CR_ACCESS_READ)); }

/* --- those that exit, with what their qualification tells --- */

/* SDM vol. 3, table 28-5; INS and OUTS leave their linear address too. */
static enum vmx_next on_io(struct vmx *x, enum vmx_outcome *o)
{
    const struct icept_info *i = info(x);
    u64 q = (i->size - 1) | (u64)!i->write << 3 | (u64)i->string << 4 | (u64)i->rep << 5 | (u64)i->port_imm << 6 | (u64)i->port << 16;
    exits(x, REASON_IO, q);
    vmcs_set(&x->vmcs, VMCSI_GUEST_LINEAR_ADDRESS, i->string ? i->gva : 0);
    return NEXT_LEAVE;
}

/* SDM vol. 3, table 28-4 */
static enum vmx_next on_dr(struct vmx *x, enum vmx_outcome *o)
{
    return exits(x, REASON_DR_ACCESS, info(x)->cr | (u64)!info(x)->write << 4 | (u64)info(x)->reg << 8);
}

static enum vmx_next on_invlpg(struct vmx *x, enum vmx_outcome *o) { return exits(x, REASON_INVLPG, info(x)->gva); }

/* SDM vol. 3, table 28-2: the selector, and what caused the switch. */
static enum vmx_next on_task_switch(struct vmx *x, enum vmx_outcome *o)
{
    enum { BY_CALL, BY_IRET, BY_JMP, BY_GATE };
    u64 by = x->cpu->stop.vectoring ? BY_GATE : info(x)->mnemonic == MN_IRET ? BY_IRET : info(x)->mnemonic == MN_JMPF ? BY_JMP : BY_CALL;
    return exits(x, REASON_TASK_SWITCH, info(x)->source | by << 30);
}

/* VMX instructions, each its own reason. */
static enum vmx_next on_vmx(struct vmx *x, enum vmx_outcome *o)
{
    static const struct { u16 mnemonic; u8 reason; } rows[] = {
        { MN_VMCALL, REASON_VMCALL }, { MN_VMCLEAR, REASON_VMCLEAR }, { MN_VMLAUNCH, REASON_VMLAUNCH }, { MN_VMPTRLD, REASON_VMPTRLD },
        { MN_VMPTRST, REASON_VMPTRST }, { MN_VMREAD, REASON_VMREAD }, { MN_VMRESUME, REASON_VMRESUME }, { MN_VMWRITE, REASON_VMWRITE },
        { MN_VMXOFF, REASON_VMXOFF }, { MN_VMXON, REASON_VMXON }, { MN_INVEPT, REASON_INVEPT }, { MN_INVVPID, REASON_INVVPID },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].mnemonic == info(x)->mnemonic)
            return exits(x, rows[i].reason, 0);
    return exits(x, REASON_VMCALL, 0);
}

/* Without a qualification: the reason says all. */
static const u8 plain_reason[ICEPT_COUNT] = {
    [ICEPT_CPUID] = REASON_CPUID, [ICEPT_HLT] = REASON_HLT, [ICEPT_RDTSC] = REASON_RDTSC, [ICEPT_RDPMC] = REASON_RDPMC,
    [ICEPT_RDMSR] = REASON_RDMSR, [ICEPT_WRMSR] = REASON_WRMSR, [ICEPT_INVD] = REASON_INVD, [ICEPT_WBINVD] = REASON_WBINVD,
    [ICEPT_GDTR_IDTR] = REASON_GDTR_IDTR, [ICEPT_LDTR_TR] = REASON_LDTR_TR, [ICEPT_PAUSE] = REASON_PAUSE, [ICEPT_MWAIT] = REASON_MWAIT,
    [ICEPT_MONITOR] = REASON_MONITOR, [ICEPT_XSETBV] = REASON_XSETBV, [ICEPT_RSM] = REASON_RSM,
};

enum vmx_next vmx_on_intercept(struct vmx *x, enum vmx_outcome *outcome)
{
    static enum vmx_next (*const on[ICEPT_COUNT])(struct vmx *, enum vmx_outcome *) = {
        [ICEPT_IO] = on_io, [ICEPT_INVLPG] = on_invlpg, [ICEPT_DR] = on_dr, [ICEPT_TASK_SWITCH] = on_task_switch, [ICEPT_VMX] = on_vmx,
        [ICEPT_CR0_READ] = on_cr0_read, [ICEPT_CR0_WRITE] = on_cr0_write, [ICEPT_CR4_READ] = on_cr4_read, [ICEPT_CR4_WRITE] = on_cr4_write,
        [ICEPT_CR3_READ] = on_cr_read, [ICEPT_CR3_WRITE] = on_cr3_write, [ICEPT_CR8_READ] = on_cr_read, [ICEPT_CR8_WRITE] = on_cr8_write,
        [ICEPT_CLTS] = on_clts, [ICEPT_LMSW] = on_lmsw,
    };
    enum intercept kind = info(x)->kind;
    if (on[kind])
        return on[kind](x, outcome);
    return exits(x, plain_reason[kind], 0);
}
