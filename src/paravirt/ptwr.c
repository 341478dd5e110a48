/* SPDX-License-Identifier: MIT */
/*
 * Writable page tables: a guest kernel that stores into a page table as on bare hardware faults, because tables are mapped
 * read-only, and the hypervisor does the store for it, checked. It costs a trap for each store; hypercalls in batches
 * are the cheaper way (Barham et al. 2003, section 3.3.3, measured both).
 *
 * The instruction is not interpreted here: it runs once on the processor with its page mapped writable, and what it has
 * changed is taken back and then asked for as any update is. Between store and check nothing else may happen, so
 * only instructions that make one store, within one entry, are let through: PUSHA could use the entry that it has just forged.
 */
#include <string.h>

#include "paravirt/domain.h"

/* One read-modify-write or one store of a memory operand that comes first. */
static bool makes_one_store(const struct insn *i)
{
    static const u16 plain[] = { MN_MOV, MN_XCHG, MN_AND, MN_OR, MN_XOR, MN_ADD, MN_SUB, MN_INC, MN_DEC, MN_BTS, MN_BTR, MN_BTC,
                                 MN_CMPXCHG, MN_CMPXCHG8B };
    if (i->op[0].kind != OPD_MEM)
        return false;
    for (unsigned n = 0; n < ARRAY_LEN(plain); n++)
        if (i->mnemonic == plain[n])
            return true;
    return false;
}

static bool fetch(struct domain *d, struct insn *i)
{
    struct cpu *c = domain_cpu(d);
    u8 bytes[INSN_MAX];
    u64 got = cpu_peek(c, cpu_linear_rip(c), bytes, sizeof bytes);
    return decode_insn(bytes, got, state_code_bits(&c->state), i) == DECODE_OK;
}

/* The page table that gva maps read-only, and where that mapping stands. */
struct target {
    u32 gva;
    u32 map_mfn; unsigned map_slot;     /* the L1 entry of gva */
    u32 mfn;                            /* the table */
    u64 before[PTES];                   /* its contents */
};

static u64 *entry_at(struct domain *d, u32 mfn, unsigned slot)
{
    return (u64 *)frame_hva(d, mfn) + slot;
}

static bool find_target(struct domain *d, u32 gva, struct target *t)
{
    t->gva = gva;
    if (gva >= XEN_VIRT_START || table_find_l1(d, gva, &t->map_mfn, &t->map_slot) < 0)
        return false;
    u64 pte = *entry_at(d, t->map_mfn, t->map_slot);
    t->mfn = (pte & 0xffffffffff000) >> PAGE_SHIFT;
    const struct frame *f = frame_of_guest(d, t->mfn);
    return pte & PTE_P && f && f->type_count && f->type >= TYPE_L1 && f->type <= TYPE_L3;
}

/* One instruction with the page writable. The mapping's bit is taken back before anything is looked at. */
static bool run_store(struct domain *d, struct target *t)
{
    struct cpu *c = domain_cpu(d);
    *entry_at(d, t->map_mfn, t->map_slot) |= PTE_RW;
    memcpy(t->before, frame_hva(d, t->mfn), PAGE_SIZE);
    mmu_invlpg(&c->mmu, t->gva);
    enum cpu_stop_kind stop = cpu_step(c);
    return stop == STOP_DEADLINE || stop == STOP_ATTENTION;
}

/* Bits that the processor sets by itself, perhaps in this very table, and that may be anything. */
#define PTE_HARDWARE ((u64)PTE_A | PTE_D)

/* Put the entry back as it was and note which one was changed, to what. False: none. */
static bool take_back(struct domain *d, struct target *t, unsigned *slot, u64 *wanted)
{
    u64 *now = entry_at(d, t->mfn, 0);
    bool changed = false;
    for (unsigned i = 0; i < PTES; i++)
        if ((now[i] ^ t->before[i]) & ~PTE_HARDWARE) {
            changed = true;
            *slot = i;
            *wanted = now[i];
            now[i] = t->before[i];
        }
    *entry_at(d, t->map_mfn, t->map_slot) &= ~(u64)PTE_RW;
    mmu_invlpg(&domain_cpu(d)->mmu, t->gva);
    physmap_written(&d->vm->map, maddr(t->mfn), PAGE_SIZE);
    return changed;
}

/* An entry has 8 bytes, a store of a 32-bit kernel 4. If the upper half comes while the lower one says "present", the guest has the
 * order wrong: the entry stays absent until the lower half is written. */
static u64 half_written(u32 gva, u64 before, u64 wanted, unsigned size)
{
    bool upper_half = size == 4 && gva & 4;
    return upper_half && wanted != before ? wanted & ~(u64)PTE_P : wanted;
}

bool ptwr_emulate(struct domain *d, u32 gva)
{
    struct cpu *c = domain_cpu(d);
    struct target t;
    struct insn i;
    unsigned slot = 0;
    u64 wanted = 0;
    if (!find_target(d, gva, &t) || !fetch(d, &i) || !makes_one_store(&i) || (gva & 7) + i.op[0].size > 8)
        return false; /* within one entry */
    struct cpu_state saved = c->state;
    bool ran = run_store(d, &t);
    bool changed = take_back(d, &t, &slot, &wanted);
    if (ran && changed)
        ran = table_write(d, t.mfn, slot, half_written(gva, t.before[slot], wanted, i.op[0].size), false) == 0;
    if (!ran) {
        cpu_set_state(c, &saved); /* the fault goes to the guest, as if nothing had been tried */
        return false;
    }
    charge(d, EV_PV_PTWR);
    return true;
}
