/* SPDX-License-Identifier: MIT */
/*
 * The hardware policy: translated code that behaves as the processor itself. Nothing is deprivileged and nothing is charged but what the
 * instructions cost; whatever is intercepted, faults or is rare is left to the interpreter, which knows what a monitor asked for.
 */
#include "bt/bt.h"
#include "bt/internal.h"
#include "bt/show.h"

static u32 in_cache_cycles(const struct bt_vcpu *t, enum in_cache what, const struct insn *i) { return t->cpu->cost[i->row->cost]; }

static u32 no_cycles(const struct bt_vcpu *t) { return 0; }

static void ran(struct bt_vcpu *t, u64 cycles)
{
    t->cpu->icount += t->context.icount;
    t->bt->stats.entries++;
    ledger_guest(t->cpu->ledger, t->context.icount, cycles);
}

static void translated(struct bt_vcpu *t, const struct unit *u) {}
static void hidden_fault(struct bt_vcpu *t) {}
static bool interrupt_waits(const struct bt_vcpu *t) { return t->cpu->want_window; }

static const struct policy hardware = {
    .in_cache_cycles = in_cache_cycles,
    .indirect_cycles = no_cycles,
    .ran = ran,
    .translated = translated,
    .hidden_fault = hidden_fault,
    .interrupt_waits = interrupt_waits,
};

static void *attach(struct cpu *c, struct error *err) { return core_new(c, &hardware, NULL, err); }
static void detach(void *self) { core_free(self); }

/* An adapted instruction comes as a callout, and a habit of faulting makes one; the interpreter executes it either way. */
static void adapt(struct bt_vcpu *t)
{
    bool habit = t->fault == FILL_TRACED || t->fault == FILL_MMIO || t->fault == FILL_CODE || t->fault == FILL_DIRECT;
    if (t->context.leave == LEAVE_FAULT && habit)
        adapt_fault(t, t->context.eip);
}

static enum accel_result run(void *self, cycles_t deadline)
{
    struct bt_vcpu *t = self;
    do {
        if (t->adapted_eip) {
            adapt_after(t, t->adapted_eip, t->adapted_before);
            t->adapted_eip = 0;
        }
        enum core_result r = core_run(t, deadline);
        if (r != CORE_RAN)
            return r == CORE_NOT ? ACCEL_NO : ACCEL_STEP;
    } while ((t->context.leave == LEAVE_MISS || t->context.leave == LEAVE_LINK) && t->cpu->clock->now < deadline);
    adapt(t);
    if (t->context.leave == LEAVE_CALLOUT && adapted(t->bt, t->context.eip)) {
        t->adapted_eip = t->context.eip;
        t->adapted_before = adapt_before(t->bt);
    }
    return ACCEL_STEP;
}

static void info(const void *self, void *file) { bt_summary(self, file); }

const struct cpu_accel_ops bt_accel = { .name = "translator", .attach = attach, .detach = detach, .run = run, .info = info };
