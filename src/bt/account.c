/* SPDX-License-Identifier: MIT */
#include "bt/account.h"
#include "bt/census.h"

#include <inttypes.h>

#include "bt/rules.h"
#include "machine/vm.h"

/* Which event is the callout of an instruction? What is not listed costs nothing beside its own cycles: a plain instruction that
 * this translator leaves to the interpreter would be copied by a better one. */
#define AS(e) { true, e }
static const struct { bool charged; u16 event; } callouts[MN_COUNT] = {
    [MN_CLI] = AS(EV_BT_FLAGS), [MN_STI] = AS(EV_BT_FLAGS), [MN_PUSHF] = AS(EV_BT_FLAGS), [MN_POPF] = AS(EV_BT_FLAGS),
    [MN_IN] = AS(EV_BT_PORT), [MN_OUT] = AS(EV_BT_PORT), [MN_INS] = AS(EV_BT_PORT), [MN_OUTS] = AS(EV_BT_PORT),
    [MN_MOV_CR] = AS(EV_BT_CR), [MN_CLTS] = AS(EV_BT_CR), [MN_LMSW] = AS(EV_BT_CR), [MN_SMSW] = AS(EV_BT_CR),
    [MN_INVLPG] = AS(EV_BT_INVLPG), [MN_CPUID] = AS(EV_BT_CPUID), [MN_RDTSC] = AS(EV_BT_RDTSC), [MN_RDMSR] = AS(EV_BT_MSR),
    [MN_WRMSR] = AS(EV_BT_MSR), [MN_HLT] = AS(EV_BT_HLT), [MN_IRET] = AS(EV_BT_IRET), [MN_SYSEXIT] = AS(EV_BT_IRET),
    [MN_INT] = AS(EV_BT_INT), [MN_INT3] = AS(EV_BT_INT), [MN_INTO] = AS(EV_BT_INT), [MN_SYSENTER] = AS(EV_BT_INT),
    [MN_MOV_SREG] = AS(EV_BT_SEG), [MN_POP_SREG] = AS(EV_BT_SEG), [MN_PUSH_SREG] = AS(EV_BT_SEG), [MN_LDS] = AS(EV_BT_SEG),
    [MN_LES] = AS(EV_BT_SEG), [MN_LFS] = AS(EV_BT_SEG), [MN_LGS] = AS(EV_BT_SEG), [MN_LSS] = AS(EV_BT_SEG),
    [MN_CALLF] = AS(EV_BT_SEG), [MN_JMPF] = AS(EV_BT_SEG), [MN_RETF] = AS(EV_BT_SEG), [MN_LAR] = AS(EV_BT_SEG),
    [MN_LSL] = AS(EV_BT_SEG), [MN_VERR] = AS(EV_BT_SEG), [MN_VERW] = AS(EV_BT_SEG), [MN_LGDT] = AS(EV_BT_DTABLE),
    [MN_LIDT] = AS(EV_BT_DTABLE), [MN_SGDT] = AS(EV_BT_DTABLE), [MN_SIDT] = AS(EV_BT_DTABLE), [MN_LLDT] = AS(EV_BT_DTABLE),
    [MN_SLDT] = AS(EV_BT_DTABLE), [MN_LTR] = AS(EV_BT_DTABLE), [MN_STR] = AS(EV_BT_DTABLE), [MN_MOV_DR] = AS(EV_BT_CR),
    [MN_WBINVD] = AS(EV_BT_MSR), [MN_INVD] = AS(EV_BT_MSR),
};
#undef AS

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

static const enum event in_cache_events[IN_CACHE_COUNT] = { [IN_CACHE_FLAGS] = EV_BT_FLAGS, [IN_CACHE_CR] = EV_BT_CR, [IN_CACHE_RDTSC] = EV_BT_RDTSC, [IN_CACHE_SREG] = EV_BT_SREG };

static u32 event_cycles(const struct bt_vcpu *t, enum in_cache what) { return t->cpu->ledger->cost[in_cache_events[what]]; }
static u32 in_cache_cycles(const struct bt_vcpu *t, enum in_cache what, const struct insn *i) { return event_cycles(t, what); }

/* What was emulated inside the cache since entry. Returns its cycles, which the units charged. */
static u64 charge_in_cache(struct bt_vcpu *t)
{
    u64 cycles = 0;
    for (int k = 0; k < IN_CACHE_COUNT; k++) {
        if (!t->context.in_cache[k])
            continue;
        ledger_charge_n(t->cpu->ledger, in_cache_events[k], t->context.in_cache[k]);
        cycles += t->context.in_cache[k] * event_cycles(t, k);
        t->bt->stats.in_cache[k] += t->context.in_cache[k];
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
    ledger_charge_n(t->cpu->ledger, EV_BT_TRANSLATE, u->nguest);
    trace(t->cpu->tracer, BT, "unit eip=0x%x insns=0x%x bytes=0x%x host_bytes=0x%x key=0x%x", u->eip, u->nguest, u->len, u->host_len, u->key);
}

bool account_insn(struct bt_vcpu *t, struct insn *i)
{
    u8 bytes[INSN_MAX];
    u64 n = cpu_peek(t->cpu, cpu_linear_rip(t->cpu), bytes, sizeof bytes);
    return decode_insn(bytes, n, state_code_bits(&t->cpu->state), i) == DECODE_OK;
}

/* MOV to CR3 is an event of its own. */
static bool loads_cr3(struct bt_vcpu *t)
{
    struct insn i;
    return t->mnemonic == MN_MOV_CR && account_insn(t, &i) && i.row->cost == COST_CR3;
}

void account_callout(struct bt_vcpu *t)
{
    trace(t->cpu->tracer, BT, "callout eip=0x%" PRIx64 " insn=%s", t->cpu->state.rip, mnemonic_names[t->mnemonic]);
    if (callouts[t->mnemonic].charged)
        ledger_charge(t->cpu->ledger, loads_cr3(t) ? EV_BT_CR3 : callouts[t->mnemonic].event);
    else if (adapted(t->bt, t->context.eip))
        ledger_charge(t->cpu->ledger, EV_BT_ADAPTED);
}

void account_step(struct bt_vcpu *t)
{
    struct insn i;
    if (!account_insn(t, &i))
        return;
    if (!rule_is_sensitive(&i)) {
        t->bt->stats.stepped++;
        return;
    }
    t->mnemonic = i.mnemonic;
    census_callout(t);
    account_callout(t);
}

void account_intercept(struct bt_vcpu *t)
{
    struct insn i;
    t->mnemonic = account_insn(t, &i) ? i.mnemonic : MN_INVALID;
    census_callout(t);
    ledger_charge(t->cpu->ledger, intercepts[t->cpu->stop.icept.kind]);
}

void account_fault(struct bt_vcpu *t)
{
    static const enum event events[] = {
        [FILL_FAULT] = EV_BT_TRUE_FAULT, [FILL_MMIO] = EV_BT_MMIO, [FILL_TRACED] = EV_BT_TRACE, [FILL_CODE] = EV_BT_CODE_TRACE,
    };
    if (t->fault == FILL_DIRECT)
        return;
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
