/* SPDX-License-Identifier: MIT */
/*
 * Privileged instructions in ring 1. Each raises #GP; a ported kernel calls the hypervisor instead, but a few stay in every
 * kernel, and Xen emulates these. What faults is what can be emulated: PUSHF, SMSW, SGDT and the like do not, and
 * show a ported kernel the real machine (Robin and Irvine 2000).
 */
#include <string.h>

#include "paravirt/domain.h"

/* CLI and STI are skipped rather than obeyed: POPF could not be, so a virtual IF would soon be wrong. */
static bool em_skip(struct domain *d, const struct insn *i) { return true; }

static bool em_hlt(struct domain *d, const struct insn *i)
{
    vcpu_block(d);
    return true;
}

/* --- control and debug registers --- */

static bool em_clts(struct domain *d, const struct insn *i)
{
    set_ts(d, false);
    return true;
}

/* CR3 shows the machine frame, folded as xen_pfn_to_cr3() does for frames above 4 GiB. */
static bool read_cr(struct domain *d, unsigned cr, u32 *value)
{
    switch (cr) {
    case 0: *value = (domain_cpu(d)->state.cr0 & ~(u64)CR0_TS) | (d->v.ts ? CR0_TS : 0); return true;
    case 2: *value = d->v.info->arch.cr2; return true;
    case 3: *value = xen_pfn_to_cr3_x86_32(d->v.base_mfn); return true;
    case 4: *value = domain_cpu(d)->state.cr4; return true;
    }
    return false;
}

static bool write_cr(struct domain *d, unsigned cr, u32 value)
{
    const struct cpu_state *s = &domain_cpu(d)->state;
    switch (cr) {
    case 0:
        if ((value ^ s->cr0) & ~(u64)CR0_TS)
            return false; /* only TS is the guest's */
        set_ts(d, value & CR0_TS);
        return true;
    case 2:
        d->v.info->arch.cr2 = value;
        return true;
    case 3: {
        int rc = frame_get_type(d, xen_cr3_to_pfn_x86_32(value), TYPE_L3);
        if (rc < 0)
            return false;
        u32 old = d->v.base_mfn;
        charge(d, EV_PV_CR3);
        ldt_unmap(d);
        base_switch(d, xen_cr3_to_pfn_x86_32(value));
        frame_put_type(d, old);
        return true;
    }
    case 4:
        return value == s->cr4; /* nothing of it is the guest's; kernels write back what they read */
    }
    return false;
}

static bool em_mov_cr(struct domain *d, const struct insn *i)
{
    u64 *gpr = domain_cpu(d)->state.gpr;
    u32 value;
    if (i->op[0].kind == OPD_CR)
        return write_cr(d, i->op[0].reg, gpr[i->op[1].reg]);
    if (!read_cr(d, i->op[1].reg, &value))
        return false;
    gpr[i->op[0].reg] = value;
    return true;
}

static bool em_mov_dr(struct domain *d, const struct insn *i)
{
    u64 *gpr = domain_cpu(d)->state.gpr;
    if (i->op[0].kind == OPD_DR) {
        const u32 arg[6] = { i->op[0].reg, gpr[i->op[1].reg] };
        return do_set_debugreg(d, arg) == 0;
    }
    gpr[i->op[0].reg] = d->v.dr[i->op[1].reg];
    return true;
}

static bool em_invlpg(struct domain *d, const struct insn *i)
{
    tlb_flush(d); /* which address does not matter: more is forgotten than was asked for */
    return true;
}

/* --- ports: a domain owns none but the one that ends a test run; all others read as ones, and writes are lost --- */

static bool port_owned(const struct domain *d, u16 port)
{
    return port == d->vm->config.debug_exit_port;
}

static bool io_allowed(const struct domain *d)
{
    return d->v.iopl >= 1;
}

static u16 io_port(struct domain *d, const struct operand *o, const struct insn *i)
{
    return o->kind == OPD_IMM ? (u8)i->imm : (u16)domain_cpu(d)->state.gpr[RDX];
}

static bool em_in(struct domain *d, const struct insn *i)
{
    u64 *rax = &domain_cpu(d)->state.gpr[RAX];
    u16 port = io_port(d, &i->op[1], i);
    unsigned size = i->op[0].size > 4 ? 4 : i->op[0].size;
    u64 mask = BIT(size * 8) - 1;
    if (!io_allowed(d))
        return false;
    u64 value = port_owned(d, port) ? vm_io_read(d->vm, port, size) : mask;
    *rax = (u32)((*rax & ~mask) | (value & mask));
    return true;
}

static bool em_out(struct domain *d, const struct insn *i)
{
    u16 port = io_port(d, &i->op[0], i);
    unsigned size = i->op[1].size > 4 ? 4 : i->op[1].size;
    if (!io_allowed(d))
        return false;
    if (port_owned(d, port))
        vm_io_write(d->vm, port, size, domain_cpu(d)->state.gpr[RAX] & (BIT(size * 8) - 1));
    return true;
}

#define XEN_LEAF 0x40000000u
#define XEN_MSR 0x40000000u     /* as leaf 2 says */

/* --- model-specific registers: reads show the processor's, writes change nothing --- */

static bool em_rdmsr(struct domain *d, const struct insn *i)
{
    struct cpu *c = domain_cpu(d);
    u64 value;
    if (!cpu_rdmsr(c, c->state.gpr[RCX], &value))
        return false;
    c->state.gpr[RAX] = (u32)value;
    c->state.gpr[RDX] = value >> 32;
    return true;
}

/* A kernel whose image names no hypercall page asks for one: it writes a machine frame of its own into a register that CPUID names. */
static bool write_hypercall_page(struct domain *d, u64 at)
{
    u32 mfn = at >> PAGE_SHIFT;
    if (at & ~PAGE_MASK || at >> PAGE_SHIFT > UINT32_MAX || frame_get_type(d, mfn, TYPE_WRITABLE) < 0)
        return false;
    if (d->frame[mfn].owner == OWNER_DOMAIN)
        hypercall_page_fill(frame_hva(d, mfn));
    physmap_written(&d->vm->map, maddr(mfn), PAGE_SIZE);
    frame_put_type(d, mfn);
    return true;
}

static bool em_wrmsr(struct domain *d, const struct insn *i)
{
    struct cpu *c = domain_cpu(d);
    u64 value;
    if ((u32)c->state.gpr[RCX] == XEN_MSR)
        return write_hypercall_page(d, (u32)c->state.gpr[RAX] | c->state.gpr[RDX] << 32);
    return cpu_rdmsr(c, c->state.gpr[RCX], &value); /* as Xen does: a write to a register that exists is dropped */
}

/* --- CPUID --- */

/* What a PV guest must not use: it is the hypervisor's, or cannot work in ring 1. */
#define CPUID_HIDDEN (CPUID_VME | CPUID_DE | CPUID_PSE | CPUID_PGE | CPUID_MCE | CPUID_APIC | CPUID_SEP | CPUID_MTRR | CPUID_PSE36)

void pv_cpuid(struct domain *d, u32 leaf, u32 subleaf, u32 out[4])
{
    static const u32 signature[3] = { 0x566e6558, 0x65584d4d, 0x4d4d566e }; /* "XenVMMXenVMM" */
    if (leaf == XEN_LEAF) {
        out[0] = XEN_LEAF + 2;
        out[1] = signature[0];
        out[2] = signature[1];
        out[3] = signature[2];
    } else if (leaf == XEN_LEAF + 1 || leaf == XEN_LEAF + 2) {
        out[0] = leaf == XEN_LEAF + 1 ? 3 << 16 | 4 : 1 /* page of hypercalls */;
        out[1] = leaf == XEN_LEAF + 1 ? 0 : XEN_MSR;
        out[2] = out[3] = 0;
    } else {
        cpu_cpuid(domain_cpu(d), leaf, subleaf, out);
        if (leaf == 1)
            out[3] &= ~(u32)CPUID_HIDDEN;
    }
}

static bool em_cpuid(struct domain *d, const struct insn *i)
{
    u64 *gpr = domain_cpu(d)->state.gpr;
    u32 out[4];
    pv_cpuid(d, gpr[RAX], gpr[RCX], out);
    gpr[RAX] = out[0];
    gpr[RBX] = out[1];
    gpr[RCX] = out[2];
    gpr[RDX] = out[3];
    return true;
}

/* --- the table --- */

struct emulation {
    u16 mnemonic, event;
    bool (*run)(struct domain *d, const struct insn *i);
};

static const struct emulation emulations[] = {
    { MN_CLI, EV_PV_EMULATE_OTHER, em_skip }, { MN_STI, EV_PV_EMULATE_OTHER, em_skip },
    { MN_HLT, EV_PV_EMULATE_OTHER, em_hlt }, { MN_WBINVD, EV_PV_EMULATE_OTHER, em_skip },
    { MN_INVD, EV_PV_EMULATE_OTHER, em_skip }, { MN_INVLPG, EV_PV_EMULATE_OTHER, em_invlpg },
    { MN_CLTS, EV_PV_EMULATE_CR, em_clts }, { MN_MOV_CR, EV_PV_EMULATE_CR, em_mov_cr }, { MN_MOV_DR, EV_PV_EMULATE_CR, em_mov_dr },
    { MN_IN, EV_PV_EMULATE_IO, em_in }, { MN_OUT, EV_PV_EMULATE_IO, em_out },
    { MN_RDMSR, EV_PV_EMULATE_MSR, em_rdmsr }, { MN_WRMSR, EV_PV_EMULATE_MSR, em_wrmsr },
};

static const struct emulation *emulation_of(u16 mnemonic)
{
    for (unsigned i = 0; i < ARRAY_LEN(emulations); i++)
        if (emulations[i].mnemonic == mnemonic)
            return &emulations[i];
    return NULL;
}

/* RIP moves on first: an instruction that blocks or ends the domain is over when the guest comes back. */
static bool run_emulation(struct domain *d, const struct emulation *em, const struct insn *i, unsigned len)
{
    struct cpu_state *s = &domain_cpu(d)->state;
    u64 rip = s->rip;
    s->rip = (u32)(rip + len);
    if (!em->run(d, i)) {
        s->rip = rip;
        return false;
    }
    charge(d, em->event);
    ledger_guest(&d->vm->ledger, 1, 0);
    return true;
}

bool emulate_privileged(struct domain *d)
{
    struct cpu *c = domain_cpu(d);
    u8 bytes[INSN_MAX];
    struct insn i;
    u64 got = cpu_peek(c, cpu_linear_rip(c), bytes, sizeof bytes);
    if (decode_insn(bytes, got, state_code_bits(&c->state), &i) != DECODE_OK)
        return false;
    const struct emulation *em = emulation_of(i.mnemonic);
    return em && run_emulation(d, em, &i, i.len);
}

bool emulate_forced_cpuid(struct domain *d)
{
    static const u8 prefixed[] = { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2 };
    static const struct emulation cpuid = { MN_CPUID, EV_PV_EMULATE_CPUID, em_cpuid };
    struct cpu *c = domain_cpu(d);
    u8 bytes[sizeof prefixed];
    if (cpu_peek(c, cpu_linear_rip(c), bytes, sizeof bytes) != sizeof bytes || memcmp(bytes, prefixed, sizeof bytes))
        return false;
    return run_emulation(d, &cpuid, NULL, sizeof prefixed);
}
