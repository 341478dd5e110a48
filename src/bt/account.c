/* SPDX-License-Identifier: MIT */
#include "bt/account.h"

#include <inttypes.h>

#include "machine/vm.h"

/* Which event is the callout of an instruction? What is not listed costs nothing beside its own cycles: a plain instruction that
 * this translator leaves to the interpreter would be copied by a better one. */
static const struct { u16 mnemonic; enum event event; } callouts[] = {
    { MN_CLI, EV_BT_FLAGS },     { MN_STI, EV_BT_FLAGS },     { MN_PUSHF, EV_BT_FLAGS },   { MN_POPF, EV_BT_FLAGS },
    { MN_IN, EV_BT_PORT },       { MN_OUT, EV_BT_PORT },      { MN_INS, EV_BT_PORT },      { MN_OUTS, EV_BT_PORT },
    { MN_MOV_CR, EV_BT_CR },     { MN_CLTS, EV_BT_CR },       { MN_LMSW, EV_BT_CR },       { MN_SMSW, EV_BT_CR },
    { MN_INVLPG, EV_BT_INVLPG }, { MN_CPUID, EV_BT_CPUID },   { MN_RDTSC, EV_BT_RDTSC },   { MN_RDMSR, EV_BT_MSR },
    { MN_WRMSR, EV_BT_MSR },     { MN_HLT, EV_BT_HLT },       { MN_IRET, EV_BT_IRET },     { MN_SYSEXIT, EV_BT_IRET },
    { MN_INT, EV_BT_INT },       { MN_INT3, EV_BT_INT },      { MN_INTO, EV_BT_INT },      { MN_SYSENTER, EV_BT_INT },
    { MN_MOV_SREG, EV_BT_SEG },  { MN_POP_SREG, EV_BT_SEG },  { MN_PUSH_SREG, EV_BT_SEG }, { MN_LDS, EV_BT_SEG },
    { MN_LES, EV_BT_SEG },       { MN_LFS, EV_BT_SEG },       { MN_LGS, EV_BT_SEG },       { MN_LSS, EV_BT_SEG },
    { MN_CALLF, EV_BT_SEG },     { MN_JMPF, EV_BT_SEG },      { MN_RETF, EV_BT_SEG },      { MN_LAR, EV_BT_SEG },
    { MN_LSL, EV_BT_SEG },       { MN_VERR, EV_BT_SEG },      { MN_VERW, EV_BT_SEG },      { MN_LGDT, EV_BT_DTABLE },
    { MN_LIDT, EV_BT_DTABLE },   { MN_SGDT, EV_BT_DTABLE },   { MN_SIDT, EV_BT_DTABLE },   { MN_LLDT, EV_BT_DTABLE },
    { MN_SLDT, EV_BT_DTABLE },   { MN_LTR, EV_BT_DTABLE },    { MN_STR, EV_BT_DTABLE },    { MN_MOV_DR, EV_BT_CR },
    { MN_WBINVD, EV_BT_MSR },    { MN_INVD, EV_BT_MSR },
};

/* The same for what the interpreter intercepts; INT and the like are no intercepts. */
static const enum event intercepts[ICEPT_COUNT] = {
    [ICEPT_CPUID] = EV_BT_CPUID, [ICEPT_HLT] = EV_BT_HLT, [ICEPT_IO] = EV_BT_PORT, [ICEPT_RDTSC] = EV_BT_RDTSC, [ICEPT_RDMSR] = EV_BT_MSR,
    [ICEPT_WRMSR] = EV_BT_MSR, [ICEPT_INVLPG] = EV_BT_INVLPG, [ICEPT_CR0_WRITE] = EV_BT_CR, [ICEPT_CR3_READ] = EV_BT_CR,
    [ICEPT_CR3_WRITE] = EV_BT_CR3, [ICEPT_CR4_WRITE] = EV_BT_CR, [ICEPT_CLTS] = EV_BT_CR, [ICEPT_LMSW] = EV_BT_CR, [ICEPT_DR] = EV_BT_CR,
    [ICEPT_GDTR_IDTR] = EV_BT_DTABLE, [ICEPT_LDTR_TR] = EV_BT_DTABLE, [ICEPT_WBINVD] = EV_BT_MSR,
};

void account_init(struct cpu *c)
{
    static const u8 own[] = { COST_FLAGS, COST_SEG, COST_FAR, COST_SYSCALL, COST_SYSRET, COST_IN, COST_OUT, COST_CR, COST_CR3, COST_INVLPG, COST_SERIAL, COST_RDTSC, COST_MSR, COST_HLT };
    for (unsigned i = 0; i < ARRAY_LEN(own); i++)
        c->cost[own[i]] = 0;
    c->cost_exc = c->cost_pf = c->cost_intr = c->cost_mmio = 0;
}

static const enum event in_cache_events[IN_CACHE_COUNT] = { [IN_CACHE_FLAGS] = EV_BT_FLAGS, [IN_CACHE_CR] = EV_BT_CR, [IN_CACHE_RDTSC] = EV_BT_RDTSC };

static u32 in_cache_cycles(const struct bt_vcpu *t, enum in_cache what) { return t->cpu->ledger->cost[in_cache_events[what]]; }

/* What was emulated inside the cache since entry. Returns its cycles, which the units charged. */
static u64 charge_in_cache(struct bt_vcpu *t)
{
    u64 cycles = 0;
    for (int k = 0; k < IN_CACHE_COUNT; k++) {
        ledger_charge_n(t->cpu->ledger, in_cache_events[k], t->context.in_cache[k]);
        cycles += t->context.in_cache[k] * in_cache_cycles(t, k);
        t->context.in_cache[k] = 0;
    }
    return cycles;
}

static u32 indirect_cycles(const struct bt_vcpu *t) { return t->cpu->ledger->cost[EV_BT_INDIRECT]; }

static void account_ran(struct bt_vcpu *t, u64 cycles)
{
    struct ledger *l = t->cpu->ledger;
    u64 insns = t->context.icount % INDIRECT_STEP, indirect = t->context.icount / INDIRECT_STEP;
    u64 overhead = indirect * indirect_cycles(t) + charge_in_cache(t);
    t->bt->stats.entries++;
    t->cpu->icount += insns;
    ledger_charge_n(l, EV_BT_INDIRECT, indirect);
    ledger_guest(l, insns, cycles > overhead ? cycles - overhead : 0);
}

static void account_translated(struct bt_vcpu *t, const struct unit *u)
{
    ledger_charge_n(t->cpu->ledger, EV_BT_TRANSLATE, u->ninsns);
    trace(t->cpu->tracer, BT, "unit eip=0x%x insns=0x%x bytes=0x%x host_bytes=0x%x key=0x%x", u->eip, u->ninsns, u->len, u->host_len, u->key);
}

static const struct insn *insn_at_eip(struct bt_vcpu *t, struct insn *i)
{
    u8 bytes[INSN_MAX];
    u64 n = cpu_peek(t->cpu, cpu_linear_rip(t->cpu), bytes, sizeof bytes);
    return decode_insn(bytes, n, 32, i) == DECODE_OK ? i : NULL;
}

void account_callout(struct bt_vcpu *t)
{
    struct insn i;
    t->bt->stats.callouts++;
    if (!insn_at_eip(t, &i))
        return;
    trace(t->cpu->tracer, BT, "callout eip=0x%" PRIx64 " insn=%s", t->cpu->state.rip, mnemonic_names[i.mnemonic]);
    for (unsigned n = 0; n < ARRAY_LEN(callouts); n++) {
        if (callouts[n].mnemonic == i.mnemonic) {
            ledger_charge(t->cpu->ledger, i.row->cost == COST_CR3 ? EV_BT_CR3 : callouts[n].event);
            return;
        }
    }
    if (adapted(t->bt, t->context.eip))
        ledger_charge(t->cpu->ledger, EV_BT_ADAPTED);
}

void account_intercept(struct bt_vcpu *t)
{
    t->bt->stats.callouts++;
    ledger_charge(t->cpu->ledger, intercepts[t->cpu->stop.icept.kind]);
}

void account_fault(struct bt_vcpu *t)
{
    static const enum event events[] = {
        [FILL_FAULT] = EV_BT_TRUE_FAULT, [FILL_MMIO] = EV_BT_MMIO, [FILL_TRACED] = EV_BT_TRACE, [FILL_CODE] = EV_BT_CODE_TRACE,
    };
    enum event e = t->page_fault || t->fault != FILL_FAULT ? events[t->fault] : EV_BT_EXCEPTION;
    trace(t->cpu->tracer, SHADOW, "fault=%s eip=0x%x", event_rows[e].name, t->context.eip);
    ledger_charge(t->cpu->ledger, e);
}

static void account_hidden(struct bt_vcpu *t)
{
    ledger_charge(t->cpu->ledger, EV_BT_HIDDEN_FAULT);
    t->context.tsc_end += t->cpu->ledger->cost[EV_BT_HIDDEN_FAULT]; /* time went on while the budget stood still */
}

void account_interrupt(struct bt_vcpu *t) { ledger_charge(t->cpu->ledger, EV_BT_INTERRUPT); }

static bool interrupt_waits(const struct bt_vcpu *t) { return vcpu_intr_pending(t->owner); }

const struct policy account_policy = {
    .counts_indirect = true,
    .in_cache_cycles = in_cache_cycles,
    .indirect_cycles = indirect_cycles,
    .ran = account_ran,
    .translated = account_translated,
    .hidden_fault = account_hidden,
    .interrupt_waits = interrupt_waits,
};
