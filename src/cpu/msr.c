/* SPDX-License-Identifier: MIT */
/* Model-specific registers (SDM vol. 4) and the time-stamp counter (vol. 3, 17.17). */
#include "cpu/system.h"

#include <stddef.h>

enum {
    MSR_PLATFORM_ID = 0x17, MSR_TSC = 0x10, MSR_MICROCODE = 0x8b, MSR_MTRRCAP = 0xfe, MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9, MSR_MTRR_PHYS = 0x200, MSR_MTRR_FIX64K = 0x250,
    MSR_MTRR_FIX16K = 0x258, MSR_MTRR_FIX4K = 0x268, MSR_PAT = 0x277, MSR_MTRR_DEF_TYPE = 0x2ff,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

/* --- what may be written --- */

/* Memory types of SDM vol. 3, table 11-2; UC- only in the PAT. */
static bool memory_type(u8 t) { return t == 0 || t == 1 || (t >= 4 && t <= 6); }

static bool each_byte(u64 value, bool (*ok)(u8))
{
    for (int i = 0; i < 8; i++) {
        if (!ok(value >> 8 * i))
            return false;
    }
    return true;
}
static bool pat_type(u8 t) { return memory_type(t) || t == 7; }

static bool any(const struct cpu *c, u64 v) { return true; }
static bool pat_ok(const struct cpu *c, u64 v) { return each_byte(v, pat_type); }
static bool fixed_ok(const struct cpu *c, u64 v) { return each_byte(v, memory_type); }
static bool word_ok(const struct cpu *c, u64 v) { return v <= 0xffffffff; }
static bool def_type_ok(const struct cpu *c, u64 v) { return memory_type(v) && !(v & ~(u64)0xcff); }
static bool phys_base_ok(const struct cpu *c, u64 v) { return memory_type(v) && !(v & 0xf00) && !(v >> c->model->phys_bits); }
static bool phys_mask_ok(const struct cpu *c, u64 v) { return !(v & 0x7ff) && !(v >> c->model->phys_bits); }
/* Addresses, on a processor where they may have 64 bits (SDM vol. 4; vol. 3, 5.8.7.1). */
static bool address_ok(const struct cpu *c, u64 v) { return !(c->model->ext_features_edx & CPUID_LM) || gva_canonical(v); }
static bool none(const struct cpu *c, u64 v) { return false; }

/* --- registers that are a field of the state --- */

struct msr_row {
    u32 msr;
    u32 feature;    /* CPUID leaf 1 EDX */
    u32 extended;   /* leaf 80000001h EDX */
    u16 offset;     /* in struct cpu_state */
    bool (*writable)(const struct cpu *c, u64 value);
};
#define FIELD(f) offsetof(struct cpu_state, f)
#define MTRR(m, f, ok) { m, CPUID_MTRR, 0, FIELD(f), ok }
#define LONG(m, f, ok) { m, 0, CPUID_LM, FIELD(f), ok }
#define MTRR_PAIR(n) MTRR(MSR_MTRR_PHYS + 2 * (n), mtrr_phys[2 * (n)], phys_base_ok), MTRR(MSR_MTRR_PHYS + 2 * (n) + 1, mtrr_phys[2 * (n) + 1], phys_mask_ok)
static const struct msr_row rows[] = {
    { MSR_SYSENTER_CS, CPUID_SEP, 0, FIELD(sysenter_cs), any },
    { MSR_SYSENTER_ESP, CPUID_SEP, 0, FIELD(sysenter_esp), address_ok },
    { MSR_SYSENTER_EIP, CPUID_SEP, 0, FIELD(sysenter_eip), address_ok },
    { MSR_MISC_ENABLE, CPUID_SSE2, 0, FIELD(misc_enable), any },
    { MSR_DEBUGCTL, CPUID_PGE, 0, FIELD(debugctl), word_ok },
    LONG(MSR_STAR, star, any), LONG(MSR_LSTAR, lstar, address_ok), LONG(MSR_CSTAR, cstar, address_ok), LONG(MSR_FMASK, sfmask, word_ok),
    LONG(MSR_FS_BASE, seg[FS].base, address_ok), LONG(MSR_GS_BASE, seg[GS].base, address_ok),
    LONG(MSR_KERNEL_GS_BASE, kernel_gs_base, address_ok),
    { MSR_TSC_AUX, 0, CPUID_RDTSCP, FIELD(tsc_aux), word_ok },
    { MSR_PAT, CPUID_PAT, 0, FIELD(pat), pat_ok },
    MTRR(MSR_MTRR_DEF_TYPE, mtrr_def_type, def_type_ok),
    MTRR_PAIR(0), MTRR_PAIR(1), MTRR_PAIR(2), MTRR_PAIR(3), MTRR_PAIR(4), MTRR_PAIR(5), MTRR_PAIR(6), MTRR_PAIR(7),
    MTRR(MSR_MTRR_FIX64K, mtrr_fixed[0], fixed_ok),
    MTRR(MSR_MTRR_FIX16K, mtrr_fixed[1], fixed_ok), MTRR(MSR_MTRR_FIX16K + 1, mtrr_fixed[2], fixed_ok),
    MTRR(MSR_MTRR_FIX4K, mtrr_fixed[3], fixed_ok), MTRR(MSR_MTRR_FIX4K + 1, mtrr_fixed[4], fixed_ok),
    MTRR(MSR_MTRR_FIX4K + 2, mtrr_fixed[5], fixed_ok), MTRR(MSR_MTRR_FIX4K + 3, mtrr_fixed[6], fixed_ok),
    MTRR(MSR_MTRR_FIX4K + 4, mtrr_fixed[7], fixed_ok), MTRR(MSR_MTRR_FIX4K + 5, mtrr_fixed[8], fixed_ok),
    MTRR(MSR_MTRR_FIX4K + 6, mtrr_fixed[9], fixed_ok), MTRR(MSR_MTRR_FIX4K + 7, mtrr_fixed[10], fixed_ok),
};

static const struct msr_row *find(const struct cpu *c, u32 msr)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        bool there = c->model->features_edx & rows[i].feature || c->model->ext_features_edx & rows[i].extended;
        if (rows[i].msr == msr && there)
            return &rows[i];
    }
    return NULL;
}

static u64 *place(struct cpu *c, const struct msr_row *r) { return (u64 *)((u8 *)&c->state + r->offset); }

/* --- registers that are constant: platform, microcode revision, how many MTRRs --- */

static const struct { u32 msr, feature; u64 value; bool (*writable)(const struct cpu *c, u64 value); } constants[] = {
    { MSR_PLATFORM_ID, CPUID_PGE, 0, none },
    { MSR_MICROCODE, CPUID_PGE, 0, any },       /* 0: no update was loaded; writing 0 asks for the revision */
    { MSR_MTRRCAP, CPUID_MTRR, 0x508, none },   /* eight variable ranges, fixed ranges, write combining */
};

static bool constant(struct cpu *c, u32 msr, u64 *value, bool write)
{
    for (unsigned i = 0; i < ARRAY_LEN(constants); i++) {
        if (constants[i].msr != msr || !(c->model->features_edx & constants[i].feature))
            continue;
        if (!write)
            *value = constants[i].value;
        return !write || constants[i].writable(c, *value);
    }
    return false;
}

/* --- TSC and EFER --- */

u64 cpu_read_tsc(const struct cpu *c) { return c->clock->now + c->state.tsc_offset; }

static u64 efer_writable(const struct cpu *c)
{
    u32 edx = c->model->ext_features_edx;
    return (edx & CPUID_NX ? EFER_NXE : 0) | (edx & CPUID_SYSCALL ? EFER_SCE : 0) | (edx & CPUID_LM ? EFER_LME : 0);
}

static bool has_efer(const struct cpu *c) { return efer_writable(c); }

/* LMA is CR0.PG's to set (control.c), and written here in vain; LME cannot change under paging (SDM vol. 3, 2.2.1 and 9.8.5). */
static bool write_efer(struct cpu *c, u64 value)
{
    struct cpu_state *s = &c->state;
    u64 writable = efer_writable(c), efer = (value & writable) | (s->efer & EFER_LMA);
    if (value & ~(writable | (writable & EFER_LME ? EFER_LMA : 0)) || (s->cr0 & CR0_PG && (efer ^ s->efer) & EFER_LME))
        return false;
    s->efer = efer;
    mmu_load_regs(&c->mmu, s->cr0, s->cr3, s->cr4, s->efer, s->pdpte);
    if (c->env && c->env->tlb_changed)
        c->env->tlb_changed(c->env_opaque, true, 0);
    return true;
}

/* From the P6 family on (SDM vol. 3, 11.4.4). Bit 10, x2APIC mode, is reserved without one. */
static bool has_apic_base(const struct cpu *c) { return c->model->features_edx & CPUID_PGE && c->state.apic_base; }

static bool write_apic_base(struct cpu *c, u64 value)
{
    const u64 writable = (BIT(c->model->phys_bits) - 1) & ~(u64)0xfff;
    if (value & ~(writable | APIC_BASE_BSP | APIC_BASE_ENABLED) || !c->env || !c->env->msr_write(c->env_opaque, MSR_APIC_BASE, value))
        return false;
    c->state.apic_base = value;
    return true;
}

bool cpu_rdmsr(struct cpu *c, u32 msr, u64 *value)
{
    const struct msr_row *r = find(c, msr);
    if (r)
        *value = *place(c, r);
    else if (msr == MSR_TSC && c->model->features_edx & CPUID_TSC)
        *value = cpu_read_tsc(c);
    else if (msr == MSR_EFER && has_efer(c))
        *value = c->state.efer;
    else if (msr == MSR_APIC_BASE && has_apic_base(c))
        *value = c->state.apic_base;
    else
        return constant(c, msr, value, false) || (c->env && c->env->msr_read && c->env->msr_read(c->env_opaque, msr, value));
    return true;
}

bool cpu_wrmsr(struct cpu *c, u32 msr, u64 value)
{
    const struct msr_row *r = find(c, msr);
    if (r && !r->writable(c, value))
        return false;
    if (r)
        *place(c, r) = value;
    else if (msr == MSR_TSC && c->model->features_edx & CPUID_TSC)
        c->state.tsc_offset = value - c->clock->now;
    else if (msr == MSR_EFER && has_efer(c))
        return write_efer(c, value);
    else if (msr == MSR_APIC_BASE && has_apic_base(c))
        return write_apic_base(c, value);
    else
        return constant(c, msr, &value, true) || (c->env && c->env->msr_write && c->env->msr_write(c->env_opaque, msr, value));
    return true;
}

/* --- instructions --- */

/* Four bitmaps of 1 KiB: reads of low and high MSRs, writes of low and high ones (SDM vol. 3, 24.6.9). */
static bool msr_intercepted(const struct cpu *c, u32 msr, bool write)
{
    if (!intercepted(c, write ? ICEPT_WRMSR : ICEPT_RDMSR))
        return false;
    u32 low = msr & 0x1fff, high = msr & ~0x1fffu;
    if (!c->icept_msr_bitmap || (high != 0 && high != 0xc0000000))
        return true;
    u32 at = (write ? 2048 : 0) + (high ? 1024 : 0) + low / 8;
    return c->icept_msr_bitmap[at] >> (low & 7) & 1;
}

static void check_msr_intercept(struct cpu *c, const struct insn *i, bool write)
{
    struct icept_info info = { .kind = write ? ICEPT_WRMSR : ICEPT_RDMSR, .write = write, .mnemonic = i->mnemonic };
    if (msr_intercepted(c, c->state.gpr[RCX], write))
        raise_intercept(c, &info);
}

static void set_edx_eax(struct cpu *c, u64 value)
{
    c->state.gpr[RAX] = (u32)value;
    c->state.gpr[RDX] = value >> 32;
}

void exec_rdmsr(struct cpu *c, const struct insn *i)
{
    u64 value;
    require_ring0(c);
    check_msr_intercept(c, i, false);
    if (!cpu_rdmsr(c, c->state.gpr[RCX], &value))
        raise_error(c, VEC_GP, 0);
    set_edx_eax(c, value);
}

void exec_wrmsr(struct cpu *c, const struct insn *i)
{
    require_ring0(c);
    check_msr_intercept(c, i, true);
    if (!cpu_wrmsr(c, c->state.gpr[RCX], c->state.gpr[RDX] << 32 | (u32)c->state.gpr[RAX]))
        raise_error(c, VEC_GP, 0);
}

static void check_counter(struct cpu *c, const struct insn *i, enum intercept kind, bool allowed)
{
    struct icept_info info = { .kind = kind, .mnemonic = i->mnemonic };
    if (state_real(&c->state) ? false : cpl(c) && !allowed)
        raise_error(c, VEC_GP, 0);
    if (intercepted(c, kind))
        raise_intercept(c, &info);
}

void exec_rdtsc(struct cpu *c, const struct insn *i)
{
    check_counter(c, i, ICEPT_RDTSC, !(c->state.cr4 & CR4_TSD));
    set_edx_eax(c, cpu_read_tsc(c));
}

/* With IA32_TSC_AUX, where a system keeps the processor's number, in the same instant. */
void exec_rdtscp(struct cpu *c, const struct insn *i)
{
    exec_rdtsc(c, i);
    c->state.gpr[RCX] = c->state.tsc_aux;
}

/* No performance counter is modelled, so no number names one. */
void exec_rdpmc(struct cpu *c, const struct insn *i)
{
    check_counter(c, i, ICEPT_RDPMC, c->state.cr4 & CR4_PCE);
    raise_error(c, VEC_GP, 0);
}
