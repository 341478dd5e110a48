/* SPDX-License-Identifier: MIT */
/* Control registers (SDM vol. 3, 2.5): MOV CR, CLTS, LMSW, SMSW, and INVLPG. */
#include "cpu/descriptor.h"
#include "cpu/system.h"

#include <string.h>

#define CR0_WRITABLE (CR0_PG | CR0_CD | CR0_NW | CR0_AM | CR0_WP | CR0_NE | CR0_TS | CR0_EM | CR0_MP | CR0_PE)
#define CR0_MMU (CR0_PG | CR0_WP | CR0_CD | CR0_NW)
#define CR4_MMU (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE)

static void tlb_changed(struct cpu *c, bool all, gva_t gva)
{
    if (c->env && c->env->tlb_changed)
        c->env->tlb_changed(c->env_opaque, all, gva);
    interp_code_changed(c);
}

/* Give the paging unit its registers; the PAE pointers are read anew only where SDM vol. 3, 4.4.1 says so. False: #GP. */
static bool update_mmu(struct cpu *c, u64 cr0, u64 cr3, u64 cr4, bool reload)
{
    struct cpu_state *s = &c->state;
    u64 efer = cr0 & CR0_PG && s->efer & EFER_LME ? s->efer | EFER_LMA : s->efer & ~(u64)EFER_LMA;
    if (reload) {
        if (!mmu_set_regs(&c->mmu, cr0, cr3, cr4, efer))
            return false;
        memcpy(s->pdpte, c->mmu.pdpte, sizeof s->pdpte);
    } else {
        mmu_load_regs(&c->mmu, cr0, cr3, cr4, efer, s->pdpte);
    }
    s->cr0 = cr0;
    s->cr3 = cr3;
    s->cr4 = cr4;
    s->efer = efer;
    tlb_changed(c, true, 0);
    return true;
}

/* Into IA-32e mode and out of it goes CR0.PG (SDM vol. 3, 9.8.5): not from a code segment that would be a 64-bit one in the same
 * instant, nor out of one, nor without what long mode cannot be without. */
static bool may_switch_paging(const struct cpu *c, bool on)
{
    const struct cpu_state *s = &c->state;
    bool code64 = s->seg[CS].attr & SEG_L, tss16 = !(s->tr.attr & SEG_UNUSABLE) && !(s->tr.attr & SYS_32BIT);
    if (!on)
        return !(state_long(s) && code64) && !(s->cr4 & CR4_PCIDE);
    return !(s->efer & EFER_LME) || (s->cr4 & CR4_PAE && !code64 && !tss16);
}

static bool write_cr0(struct cpu *c, u64 value)
{
    struct cpu_state *s = &c->state;
    u64 cr0 = (value & CR0_WRITABLE) | CR0_ET, changed = cr0 ^ s->cr0;
    if (value >> 32 || (cr0 & CR0_PG && !(cr0 & CR0_PE)) || (cr0 & CR0_NW && !(cr0 & CR0_CD)))
        return false;
    if (changed & CR0_PG && !may_switch_paging(c, cr0 & CR0_PG))
        return false;
    if (changed & CR0_MMU)
        return update_mmu(c, cr0, s->cr3, s->cr4, changed & (CR0_PG | CR0_CD | CR0_NW));
    s->cr0 = c->mmu.cr0 = cr0;
    if (changed & (CR0_PE | CR0_AM))
        interp_code_changed(c);
    return true;
}

static u64 cr4_writable(const struct cpu *c)
{
    static const struct { u32 feature, bits; } row[] = {
        { CPUID_VME, CR4_VME | CR4_PVI }, { CPUID_TSC, CR4_TSD }, { CPUID_DE, CR4_DE }, { CPUID_PSE, CR4_PSE }, { CPUID_PAE, CR4_PAE },
        { CPUID_MCE, CR4_MCE }, { CPUID_PGE, CR4_PGE | CR4_PCE }, { CPUID_FXSR, CR4_OSFXSR }, { CPUID_SSE, CR4_OSXMMEXCPT },
    };
    u64 bits = 0;
    for (unsigned i = 0; i < ARRAY_LEN(row); i++)
        bits |= c->model->features_edx & row[i].feature ? row[i].bits : 0;
    return bits;
}

static bool write_cr4(struct cpu *c, u64 value)
{
    struct cpu_state *s = &c->state;
    u64 changed = value ^ s->cr4;
    if (value & ~cr4_writable(c) || (state_long(s) && !(value & CR4_PAE)))
        return false;
    if (changed & CR4_MMU)
        return update_mmu(c, s->cr0, s->cr3, value, true);
    s->cr4 = c->mmu.cr4 = value;
    return true;
}

/* Bits beyond the physical address are reserved in IA-32e mode (SDM vol. 3, 4.5.2); the older formats do not look at them. */
static bool write_cr3(struct cpu *c, u64 value)
{
    if (state_long(&c->state) && value >> c->model->phys_bits)
        return false;
    return update_mmu(c, c->state.cr0, value, c->state.cr4, true);
}

/* CR8 is the class of the local APIC's task priority, four bits (SDM vol. 3, 10.8.6.1): where the register is, 0 without an APIC. Below a
 * monitor that translates once more the processor's own APIC is out of reach. */
static gpa_t task_priority(const struct cpu *c)
{
    bool there = c->state.apic_base & APIC_BASE_ENABLED && !c->mmu.stage2;
    return there ? (c->state.apic_base & PAGE_MASK) + 0x80 : 0;
}

static bool write_cr8(struct cpu *c, u64 value)
{
    gpa_t tpr = task_priority(c);
    if (value > 0xf)
        return false;
    c->state.cr8 = value;
    if (tpr)
        physmap_store(c->mmu.map, tpr, 4, value << 4);
    return true;
}

static u64 read_cr8(const struct cpu *c)
{
    gpa_t tpr = task_priority(c);
    return tpr ? physmap_load(c->mmu.map, tpr, 4) >> 4 & 0xf : c->state.cr8;
}

bool cpu_write_cr(struct cpu *c, unsigned cr, u64 value)
{
    trace(c->tracer, MODE, "cr%u=0x%llx rip=0x%llx", cr, (unsigned long long)value, (unsigned long long)c->insn_rip);
    switch (cr) {
    case 0: return write_cr0(c, value);
    case 2: c->state.cr2 = value; return true;
    case 3: return write_cr3(c, value);
    case 4: return write_cr4(c, value);
    case 8: return write_cr8(c, value);
    default: return false;
    }
}

static void write_or_fault(struct cpu *c, unsigned cr, u64 value)
{
    c->mmu.pdpte_fault.kind = FAULT_NONE;
    if (cpu_write_cr(c, cr, value))
        return;
    if (c->mmu.pdpte_fault.kind == FAULT_STAGE2) /* the PAE pointers lie where the second dimension has nothing */
        raise_mmu(c, &c->mmu.pdpte_fault);
    raise_error(c, VEC_GP, 0);
}

/* --- MOV --- */

/* Which control registers exist, and what watches each. CR2 is never watched; CR8 exists in 64-bit mode only. */
static const struct { bool exists, watched; u8 read, write; } cr_rows[16] = {
    [0] = { true, true, ICEPT_CR0_READ, ICEPT_CR0_WRITE }, [2] = { true }, [3] = { true, true, ICEPT_CR3_READ, ICEPT_CR3_WRITE },
    [4] = { true, true, ICEPT_CR4_READ, ICEPT_CR4_WRITE }, [8] = { true, true, ICEPT_CR8_READ, ICEPT_CR8_WRITE },
};

static void check_cr_intercept(struct cpu *c, const struct insn *i, unsigned cr, unsigned reg, bool write)
{
    enum intercept kind = write ? cr_rows[cr].write : cr_rows[cr].read;
    struct icept_info info = { .kind = kind, .reg = reg, .cr = cr, .write = write, .mnemonic = i->mnemonic, .size = i->bits == 64 ? 8 : 4 };
    if (cr_rows[cr].watched && intercepted(c, kind))
        raise_intercept(c, &info);
}

static u64 read_cr(const struct cpu *c, unsigned cr)
{
    switch (cr) {
    case 0: return c->state.cr0;
    case 2: return c->state.cr2;
    case 3: return c->state.cr3;
    case 4: return c->state.cr4;
    default: return read_cr8(c);
    }
}

void exec_mov_cr(struct cpu *c, const struct insn *i)
{
    bool write = i->op[0].kind == OPD_CR;
    unsigned cr = i->op[write ? 0 : 1].reg, reg = i->op[write ? 1 : 0].reg, size = i->bits == 64 ? 8 : 4;
    if (cr >= ARRAY_LEN(cr_rows) || !cr_rows[cr].exists || (cr == 8 && i->bits != 64))
        raise_fault(c, VEC_UD);
    require_ring0(c);
    check_cr_intercept(c, i, cr, reg, write);
    if (write)
        write_or_fault(c, cr, gpr_get(c, reg, size));
    else
        gpr_set(c, reg, size, read_cr(c, cr));
}

/* --- the machine status word --- */

void exec_clts(struct cpu *c, const struct insn *i)
{
    require_ring0(c);
    struct icept_info info = icept_operand(c, i, ICEPT_CLTS, true);
    if (intercepted(c, ICEPT_CLTS))
        raise_intercept(c, &info);
    c->state.cr0 &= ~(u64)CR0_TS;
    c->mmu.cr0 = c->state.cr0;
}

/* LMSW sets PE, MP, EM, TS; it cannot clear PE (SDM vol. 2, LMSW). */
void exec_lmsw(struct cpu *c, const struct insn *i)
{
    const u64 msw = CR0_PE | CR0_MP | CR0_EM | CR0_TS;
    require_ring0(c);
    u64 value = opd_read(c, i, 0);
    if (intercepted(c, ICEPT_LMSW)) {
        struct icept_info info = icept_operand(c, i, ICEPT_LMSW, true);
        info.source = value;
        raise_intercept(c, &info);
    }
    write_or_fault(c, 0, (c->state.cr0 & ~msw) | (value & msw) | (c->state.cr0 & CR0_PE));
}

/* SMSW reads CR0 in any ring: the best known hole in the 80386's protection. A monitor that watches reads of CR0 sees it too. */
void exec_smsw(struct cpu *c, const struct insn *i)
{
    if (intercepted(c, ICEPT_CR0_READ)) {
        struct icept_info info = icept_operand(c, i, ICEPT_CR0_READ, false);
        raise_intercept(c, &info);
    }
    if (i->op[0].kind == OPD_GPR)
        gpr_set(c, i->op[0].reg, i->opsize, c->state.cr0);
    else
        seg_write(c, i->mem.seg, ea_offset(c, i), 2, c->state.cr0);
}

void exec_invlpg(struct cpu *c, const struct insn *i)
{
    require_ring0(c);
    struct icept_info info = icept_operand(c, i, ICEPT_INVLPG, false);
    if (intercepted(c, ICEPT_INVLPG))
        raise_intercept(c, &info);
    mmu_invlpg(&c->mmu, info.gva);
    tlb_changed(c, false, info.gva);
}
