/* SPDX-License-Identifier: MIT */
/*
 * Delivery with its consequences: a fault on the way to a handler becomes another exception, a double fault, or the end
 * (SDM vol. 3, 6.15, interrupt 8), unless a monitor wants to see it (25.2).
 */
#include "cpu/descriptor.h"

/* SDM vol. 3, table 6-4 */
enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum severity severity(const struct trap *t)
{
    const u32 contributory = 1 << VEC_DE | 1 << VEC_TS | 1 << VEC_NP | 1 << VEC_SS | 1 << VEC_GP;
    if (t->type != TRAP_FAULT || t->vector > 31)
        return BENIGN;
    if (t->vector == VEC_PF)
        return PAGE_FAULT;
    if (t->vector == VEC_DF)
        return DOUBLE_FAULT;
    return contributory >> t->vector & 1 ? CONTRIBUTORY : BENIGN;
}

/* What `second`, raised while `first` was being delivered, turns into. SDM vol. 3, table 6-5. */
enum outcome { SERIAL, DOUBLE, SHUTDOWN };
static enum outcome combine(const struct trap *first, const struct trap *second)
{
    enum severity a = severity(first), b = severity(second);
    if (b == BENIGN || a == BENIGN)
        return SERIAL;
    if (a == DOUBLE_FAULT)
        return SHUTDOWN;
    return a == CONTRIBUTORY && b == PAGE_FAULT ? SERIAL : DOUBLE;
}

static void record(struct cpu *c, const struct trap *t)
{
    if (t->type != TRAP_FAULT)
        return;
    c->recent_exc[2] = c->recent_exc[1];
    c->recent_exc[1] = c->recent_exc[0];
    c->recent_exc[0].trap = *t;
    c->recent_exc[0].rip = c->state.rip;
    c->recent_exc[0].icount = c->icount;
}

static void trace_event(const struct cpu *c, const struct trap *t)
{
    static const char *const type[] = { [TRAP_EXTINT] = "intr", [TRAP_NMI] = "nmi", [TRAP_FAULT] = "exc", [TRAP_SOFT_INT] = "int",
                                        [TRAP_ICEBP] = "int1", [TRAP_SOFT_EXC] = "trap" };
    const char *name = t->type < ARRAY_LEN(type) && type[t->type] ? type[t->type] : "event";
    trace(c->tracer, EXC, "%s=0x%x error=0x%x cs=0x%x rip=0x%llx cpl=%u cr2=0x%llx", name, t->vector, t->error,
          c->state.seg[CS].selector, (unsigned long long)c->state.rip, cpl(c), (unsigned long long)t->cr2);
}

/* INT n, INT3 and their like are instructions, and retire by being delivered. */
static void charge(struct cpu *c, const struct trap *t)
{
    if (t->type == TRAP_SOFT_INT || t->type == TRAP_SOFT_EXC || t->type == TRAP_ICEBP) {
        c->icount++;
        ledger_guest(c->ledger, 1, c->cost[COST_SYSCALL]);
    } else if (t->type == TRAP_EXTINT || t->type == TRAP_NMI)
        ledger_guest(c->ledger, 0, c->cost_intr);
    else if (t->type == TRAP_FAULT)
        ledger_guest(c->ledger, 0, t->vector == VEC_PF ? c->cost_pf : c->cost_exc);
}

/* One attempt; false: it faulted or was intercepted, c->stop says how. */
static bool attempt(struct cpu *c, const struct trap *t)
{
    c->delivering = true;
    c->delivering_trap = *t;
    c->insn_rip = c->state.rip;
    bool delivered = sigsetjmp(c->unwind, 0) == 0;
    if (delivered)
        deliver_once(c, t);
    else
        c->state.rip = c->insn_rip;
    c->delivering = false;
    return delivered;
}

static enum cpu_stop_kind shut_down(struct cpu *c)
{
    c->state.activity = CPU_SHUT_DOWN;
    c->stop.vectoring = false;
    return c->stop.kind = STOP_SHUTDOWN;
}

static enum cpu_stop_kind stop_vectoring(struct cpu *c, const struct trap *t)
{
    c->stop.vectoring = true;
    c->stop.vectored = *t;
    return c->stop.kind;
}

/* A double fault that comes of itself is no event "during delivery" (SDM vol. 3, 27.2.4). */
static enum cpu_stop_kind stop_double_fault(struct cpu *c, const struct trap *df)
{
    c->stop.trap = *df;
    c->stop.vectoring = false;
    return c->stop.kind = STOP_TRAP;
}

/* Bit 14 counts for page faults whose error code matches, its opposite for the others. */
static bool page_fault_intercepted(const struct cpu *c, const struct trap *t)
{
    bool bit = c->icept_exc >> VEC_PF & 1, match = (t->error & c->icept_pf_mask) == c->icept_pf_match;
    return bit == match;
}

bool exception_intercepted(const struct cpu *c, const struct trap *t)
{
    if (t->type == TRAP_SOFT_INT)
        return c->icept_soft_int;
    if (t->type == TRAP_EXTINT || t->type == TRAP_NMI || t->vector > 31)
        return false;
    if (t->type == TRAP_FAULT && t->vector == VEC_PF)
        return page_fault_intercepted(c, t);
    return c->icept_exc >> t->vector & 1;
}

enum cpu_stop_kind cpu_deliver(struct cpu *c, const struct trap *t)
{
    static const struct trap double_fault = { .vector = VEC_DF, .type = TRAP_FAULT, .has_error = true };
    struct trap now = *t;
    for (;;) {
        record(c, &now);
        trace_event(c, &now);
        if (attempt(c, &now)) {
            charge(c, &now);
            return STOP_DEADLINE;
        }
        if (c->stop.kind != STOP_TRAP)
            return stop_vectoring(c, &now);
        struct trap nested = c->stop.trap;
        if (exception_intercepted(c, &nested))
            return stop_vectoring(c, &now);
        switch (combine(&now, &nested)) {
        case SERIAL:
            now = nested;
            break;
        case DOUBLE:
            record(c, &nested);
            now = double_fault;
            if (exception_intercepted(c, &now))
                return stop_double_fault(c, &now);
            break;
        case SHUTDOWN:
            record(c, &nested);
            return shut_down(c);
        }
    }
}

enum cpu_stop_kind cpu_interrupt(struct cpu *c, u8 vector)
{
    struct trap t = { .vector = vector, .type = TRAP_EXTINT };
    return cpu_deliver(c, &t);
}
