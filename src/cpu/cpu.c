/* SPDX-License-Identifier: MIT */
#include "cpu/cpu.h"

#include <string.h>

#include "cpu/interp.h"

/* The classes' components stand in the profile in the order of enum cost_class. */
_Static_assert(COMP_INSN_HLT - COMP_INSN_PLAIN == COST_HLT, "one component for each class of instruction");

void cpu_set_costs(struct cpu *c, const struct profile *p)
{
    for (unsigned i = 0; i < COST_COUNT; i++)
        c->cost[i] = p->value[COMP_INSN_PLAIN + i];
    c->cost_exc = p->value[COMP_EXC_DELIVER];
    c->cost_pf = p->value[COMP_EXC_PF];
    c->cost_intr = p->value[COMP_INTR_DELIVER];
    c->cost_mmio = c->cost_direct = p->value[COMP_MMIO_NATIVE];
    c->cost_apic = p->value[COMP_APIC_NATIVE];
    c->cost_tlb_ref = p->value[COMP_TLB_REF];
    walk_caches_size(&c->mmu.caches, p->value[COMP_PWC_ENTRIES], p->value[COMP_PWC_HIT], p->value[COMP_NTLB_ENTRIES], p->value[COMP_NTLB_HIT]);
}

int cpu_init(struct cpu *c, const struct cpu_model *model, struct physmap *map, struct clock *clock, struct ledger *ledger,
             const struct profile *profile, const struct tracer *tracer, struct error *err)
{
    memset(c, 0, sizeof *c);
    c->model = model;
    c->clock = clock;
    c->ledger = ledger;
    c->tracer = tracer;
    mmu_init(&c->mmu, map);
    cpu_set_costs(c, profile);
    c->mmu.phys_bits = model->phys_bits;
    c->mmu.huge_pages = model->ext_features_edx & CPUID_1GB_PAGES;
    c->dcache = dcache_new(c);
    if (!c->dcache) {
        mmu_fini(&c->mmu);
        return error_set(err, "no memory for the decode cache; close other programs");
    }
    if (fpu_unit_new(c, err) < 0) {
        cpu_fini(c);
        return -1;
    }
    cpu_reset(c);
    return 0;
}

static void detach_accel(struct cpu *c)
{
    if (c->accel)
        c->accel->detach(c->accel_self);
    c->accel = NULL;
}

int cpu_set_accel(struct cpu *c, const struct cpu_accel_ops *accel, struct error *err)
{
    detach_accel(c);
    c->accel_self = accel ? accel->attach(c, err) : NULL;
    c->accel = c->accel_self ? accel : NULL;
    return accel && !c->accel ? -1 : 0;
}

void cpu_fini(struct cpu *c)
{
    detach_accel(c);
    fpu_unit_free(c);
    dcache_free(c);
    mmu_fini(&c->mmu);
}

void cpu_reset(struct cpu *c)
{
    struct cpu_state s;
    state_reset(&s);
    s.gpr[RDX] = c->model->signature; /* SDM vol. 3, 9.1.2 */
    cpu_set_state(c, &s);
    c->icount = 0;
    c->attention = 0;
    memset(c->recent_exc, 0, sizeof c->recent_exc);
    dcache_flush(c);
}

void cpu_set_state(struct cpu *c, const struct cpu_state *s)
{
    c->state = *s;
    cpu_state_changed(c);
}

void cpu_state_changed(struct cpu *c)
{
    mmu_load_regs(&c->mmu, c->state.cr0, c->state.cr3, c->state.cr4, c->state.efer, c->state.pdpte);
    interp_code_changed(c);
}

/* --- guest memory for others --- */

static u64 in_page(gva_t gva, u64 len)
{
    u64 room = PAGE_SIZE - (gva & ~PAGE_MASK);
    return len < room ? len : room;
}

int cpu_read_linear(struct cpu *c, gva_t gva, void *buf, u64 len, bool user, struct mmu_fault *f)
{
    for (u64 n; len; gva += n, buf = (u8 *)buf + n, len -= n) {
        gpa_t gpa;
        u8 *hva;
        n = in_page(gva, len);
        if (mmu_translate(&c->mmu, gva, ACCESS_READ, user, &gpa, &hva, f) < 0)
            return -1;
        physmap_read(c->mmu.map, gpa, buf, n);
    }
    return 0;
}

int cpu_write_linear(struct cpu *c, gva_t gva, const void *buf, u64 len, bool user, struct mmu_fault *f)
{
    for (u64 n; len; gva += n, buf = (const u8 *)buf + n, len -= n) {
        gpa_t gpa;
        u8 *hva;
        n = in_page(gva, len);
        if (mmu_translate(&c->mmu, gva, ACCESS_WRITE, user, &gpa, &hva, f) < 0)
            return -1;
        physmap_write(c->mmu.map, gpa, buf, n);
    }
    return 0;
}

/* gva -> hva for looking only; NULL where nothing is mapped, or a device. */
static const u8 *peek_page(struct cpu *c, gva_t gva, u64 len)
{
    struct xlat x;
    struct mmu_fault f;
    u8 perms;
    struct stage2 *s = c->mmu.stage2;
    if (mmu_probe(&c->mmu, gva, ACCESS_READ, false, &x) < 0)
        return NULL;
    if (s && s->translate(s, x.gpa, ACCESS_READ, false, &x.gpa, &perms, &f) < 0)
        return NULL;
    return physmap_ptr_ro(c->mmu.map, x.gpa, len);
}

u64 cpu_peek(struct cpu *c, gva_t gva, void *buf, u64 len)
{
    u64 done = 0;
    while (done < len) {
        u64 n = in_page(gva + done, len - done);
        const u8 *p = peek_page(c, gva + done, n);
        if (!p)
            break;
        memcpy((u8 *)buf + done, p, n);
        done += n;
    }
    return done;
}
