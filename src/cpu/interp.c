/* SPDX-License-Identifier: MIT */
/*
 * The interpreter's loop.
 *
 * It is two loops in one another. The inner one, run_blocks(), goes from block to block through specialised ops
 * and cannot fault. The outer one looks at what may have happened between two instructions (deadline, kick, interrupt
 * window), lets single instructions be executed by their handlers, and does what must follow each of them. Around both
 * stands sigsetjmp(): a handler that raises comes back there.
 */
#include "cpu/interp.h"

#define GO_ON STOP_DEADLINE /* inside the loops: nothing stops it */
_Static_assert(GO_ON == 0, "zero means that nothing stopped the processor");

/* --- the inner loop --- */

/* Where run_blocks() stands, and what it has not yet put into state, clock and ledger. */
struct run {
    struct block *b;
    const struct op *o;     /* NULL: at RIP, look the block up */
    u64 insns;
    cycles_t cycles;
};

static u64 wrap_rip(const struct cpu *c, u64 rip) { return mode_bits(c->mode) == 64 ? rip : (u32)rip; }

/* All of the block's instructions begin before the deadline? (Each costs at least nothing, so the last one tells.) */
static bool fits(const struct cpu *c, const struct run *r)
{
    return c->clock->now + r->cycles + (r->b->cycles - r->o->cycles) <= c->deadline;
}

/* The block behind the one that just ended, by the way it was left: remembered if it lies in the same page, so that what the
 * TLB said of that page still holds. */
static struct block *next_block(struct cpu *c, struct block *b, u64 from)
{
    unsigned way = c->taken;
    struct block *n;
    if (way != EXIT_INDIRECT && (n = b->next[way]) && n->valid)
        return n;
    n = dcache_find(c);
    bool near = n && b->hva && way != EXIT_INDIRECT && (u64)(n->hva - b->hva) == c->state.rip - from;
    if (near && ((uintptr_t)n->hva ^ (uintptr_t)b->hva) < PAGE_SIZE)
        b->next[way] = n;
    return n;
}

/* Count what was run, and let RIP and RFLAGS say it. */
static void settle(struct cpu *c, struct run *r)
{
    if (r->o)
        c->state.rip = wrap_rip(c, c->state.rip + r->o->offset);
    fast_flags_out(c);
    c->icount += r->insns;
    ledger_guest(c->ledger, r->insns, r->cycles);
}

/* Run from r->o on as long as blocks follow, each fits before the deadline, and nobody asks for attention.
 * Comes back with the op that needs its handler in r->o, or NULL: look again at RIP. */
static void run_blocks(struct cpu *c, struct run *r)
{
    c->state.rip = wrap_rip(c, c->state.rip - r->o->offset);
    r->insns = r->cycles = 0;
    fast_flags_in(c);
    while (r->o && fits(c, r)) {
        u64 from = c->state.rip;
        const struct op *start = r->o, *end = r->b->op + r->b->count;
        const struct op *at = start->run(c, start, c->flags);
        r->insns += at - start;
        r->cycles += at->cycles - start->cycles;
        r->o = at;
        if (at != end)
            break;
        r->b = likely(!c->attention) ? next_block(c, r->b, from) : NULL;
        r->o = r->b ? r->b->op : NULL;
    }
    settle(c, r);
}

/* --- one instruction by its handler --- */

/* A fault must find RIP, the shadows and RF as they were before. */
static void mark_instruction(struct cpu *c)
{
    c->insn_rip = c->state.rip;
    c->sti_before = c->state.sti_shadow;
    c->movss_before = c->state.movss_shadow;
    c->rf_before = c->state.rflags & FLAG_RF;
}

static void return_to_instruction(struct cpu *c)
{
    c->state.rip = c->insn_rip;
    c->state.sti_shadow = c->sti_before;
    c->state.movss_shadow = c->movss_before;
    c->state.rflags |= c->rf_before ? FLAG_RF : 0;
    c->pending_dr6 = 0;
    c->watch_hit = false;
}

static void trace_insn(struct cpu *c, const struct insn *i)
{
    char text[96];
    if (likely(!c->tracer->on[TRACE_INSN]))
        return;
    trace_print(c->tracer, TRACE_INSN, "cs=0x%x rip=0x%llx insn=\"%s\"", c->state.seg[CS].selector, (unsigned long long)c->state.rip,
                disassemble(i->bytes, i->len, i->bits, c->state.rip, text, sizeof text));
}

/* A string instruction pays by iteration; one that repeats has a beginning too, so that none is free. */
static u32 string_cost(const struct cpu *c, const struct insn *i) { return i->rep || i->repne ? c->cost[COST_PLAIN] : 0; }

/* It is done: shadows that it did not cast itself are over (they were cleared before it), and it is counted. */
static void retire(struct cpu *c, const struct insn *i)
{
    bool string = is_string(i->mnemonic);
    if (string && c->state.rip == c->insn_rip) {
        c->state.rflags |= FLAG_RF; /* between iterations, SDM vol. 3, 17.3.1.1 */
        return;
    }
    c->icount++;
    ledger_guest(c->ledger, 1, string ? string_cost(c, i) : c->cost[i->row->cost]);
}

/* #DB after an instruction: single step, data breakpoints (SDM vol. 3, 17.3.1.2 and 17.3.1.4). MOV SS holds it back. */
static enum cpu_stop_kind trap_after(struct cpu *c, bool tf)
{
    u64 dr6 = c->pending_dr6 | (tf ? BIT(14) : 0);
    if (c->state.movss_shadow || !dr6)
        return GO_ON;
    c->pending_dr6 = 0;
    c->stop.trap = (struct trap){ .vector = VEC_DB, .type = TRAP_FAULT, .dr6 = dr6 };
    c->stop.vectoring = false;
    return STOP_TRAP;
}

static enum cpu_stop_kind after_insn(struct cpu *c, bool tf)
{
    bool watched = c->watch_hit;
    enum cpu_stop_kind why = trap_after(c, tf);
    c->watch_hit = false;
    if (why == GO_ON && (watched || (c->debug && c->debug->step)))
        return STOP_BREAK;
    return why;
}

/* Execute the op where *r stands (at RIP), and move *r on. */
static enum cpu_stop_kind execute(struct cpu *c, struct run *r)
{
    const struct op *o = r->o;
    const struct insn *i = &r->b->insn[o - r->b->op];
    bool tf = c->state.rflags & FLAG_TF;
    trace_insn(c, i);
    mark_instruction(c);
    c->state.sti_shadow = c->state.movss_shadow = 0;
    c->state.rflags &= ~(u64)FLAG_RF;
    c->state.rip = wrap_rip(c, c->insn_rip + i->len);
    u64 behind = c->state.rip;
    dcache_handler(c, i->mnemonic)(c, i);
    retire(c, i);
    bool harmless = dcache_harmless(c, i->mnemonic);
    if (!harmless)
        interp_code_changed(c);
    bool within = harmless && c->state.rip == behind && r->b->valid && o + 1 != r->b->op + r->b->count;
    r->o = within ? o + 1 : NULL;
    return after_insn(c, tf);
}

/* --- between instructions --- */

/* Does anything ask for a look at each single instruction? */
static bool is_watchful(const struct cpu *c)
{
    bool debugged = c->debug && (c->debug->step || c->debug->nbreak);
    return c->state.rflags & (FLAG_TF | FLAG_RF) || c->state.sti_shadow || c->state.movss_shadow || c->state.dr[7] & 0xff || debugged ||
           c->pending_dr6 || c->tracer->on[TRACE_INSN];
}

/* Instruction breakpoints of the guest, SDM vol. 3, 17.3.1.1. */
static enum cpu_stop_kind guest_breakpoint(struct cpu *c)
{
    u64 hit = 0;
    if (c->state.rflags & FLAG_RF || c->state.movss_shadow)
        return GO_ON;
    for (unsigned i = 0; i < 4; i++)
        if (c->state.dr[7] >> 2 * i & 3 && !(c->state.dr[7] >> (16 + 4 * i) & 3) && c->state.dr[i] == cpu_linear_rip(c))
            hit |= BIT(i);
    if (!hit)
        return GO_ON;
    c->stop.trap = (struct trap){ .vector = VEC_DB, .type = TRAP_FAULT, .dr6 = hit };
    c->stop.vectoring = false;
    return STOP_TRAP;
}

/* The debugger's: stop once, and go on over it when run again. */
enum cpu_stop_kind cpu_check_break(struct cpu *c)
{
    gva_t here = cpu_linear_rip(c);
    for (unsigned i = 0; c->debug && i < c->debug->nbreak; i++) {
        if (c->debug->brk[i] != here || c->break_icount == c->icount + 1)
            continue;
        c->break_icount = c->icount + 1;
        c->debug->hit = here;
        c->debug->hit_watch = -1;
        return STOP_BREAK;
    }
    return GO_ON;
}

/* Why cpu_run() must not go on to the next instruction; GO_ON if it may. */
static bool must_stop(struct cpu *c, enum cpu_stop_kind *why)
{
    if (c->state.activity > CPU_HALTED)
        *why = STOP_SHUTDOWN;
    else if (c->want_nmi_window && !c->state.nmi_blocked && !c->state.movss_shadow)
        *why = STOP_NMI_WINDOW;
    else if (c->want_window && cpu_interruptible(c))
        *why = STOP_WINDOW;
    else if (c->attention)
        *why = STOP_ATTENTION;
    else if (c->state.activity == CPU_HALTED)
        *why = STOP_HLT;
    else if (c->clock->now >= c->deadline)
        *why = STOP_DEADLINE;
    else
        return false;
    if (*why == STOP_ATTENTION)
        c->attention = 0;
    return true;
}

/* --- the outer loop --- */

static enum cpu_stop_kind run_watchful(struct cpu *c, bool breakpoints)
{
    enum cpu_stop_kind why;
    struct run r;
    if (breakpoints && (why = cpu_check_break(c)))
        return why;
    if ((why = guest_breakpoint(c)))
        return why;
    r.b = dcache_block(c);
    r.o = r.b->op;
    return execute(c, &r);
}

/* Did the accelerator run up to an instruction that it leaves to us? */
static bool accelerated(struct cpu *c)
{
    return c->accel && !c->timing_model && c->accel->run(c->accel_self, c->deadline) == ACCEL_STEP;
}

/* Until something stops it; or an event is to be delivered: STOP_TRAP, with the event in c->stop.trap. */
static enum cpu_stop_kind run(struct cpu *c)
{
    struct run r = { NULL };
    enum cpu_stop_kind why;
    while (!must_stop(c, &why)) {
        mark_instruction(c); /* for a fault of the fetch */
        if (unlikely(is_watchful(c))) {
            if ((why = run_watchful(c, true)))
                return why;
            r.o = NULL;
            continue;
        }
        if (!r.o && accelerated(c)) {
            mark_instruction(c);
            if (c->clock->now < c->deadline && (why = run_watchful(c, true)))
                return why;
            continue;
        }
        if (!r.o) {
            r.b = dcache_block(c);
            r.o = r.b->op;
        }
        if (r.o->run != fast_slow)
            run_blocks(c, &r);
        if (r.o && c->clock->now < c->deadline && (why = execute(c, &r)))
            return why;
    }
    return why;
}

/* cpu_step()'s: exactly one. */
static enum cpu_stop_kind run_one(struct cpu *c)
{
    if (c->state.activity != CPU_ACTIVE)
        return c->state.activity == CPU_HALTED ? STOP_HLT : STOP_SHUTDOWN;
    mark_instruction(c);
    enum cpu_stop_kind why = run_watchful(c, false);
    return why == GO_ON && c->state.activity == CPU_HALTED ? STOP_HLT : why;
}

/* An instruction raised, or an event follows it. */
static enum cpu_stop_kind handle_trap(struct cpu *c)
{
    struct trap t = c->stop.trap;
    if (exception_intercepted(c, &t))
        return STOP_TRAP;
    enum cpu_stop_kind why = cpu_deliver(c, &t);
    if (why != GO_ON)
        return why;
    interp_code_changed(c);
    return c->debug && c->debug->step ? STOP_BREAK : GO_ON;
}

static enum cpu_stop_kind run_guarded(struct cpu *c, enum cpu_stop_kind (*body)(struct cpu *c))
{
    if (sigsetjmp(c->unwind, 0) == 0)
        return body(c);
    return_to_instruction(c);
    interp_code_changed(c);
    return c->stop.kind;
}

enum cpu_stop_kind cpu_run(struct cpu *c, cycles_t deadline)
{
    enum cpu_stop_kind why;
    c->deadline = deadline;
    interp_code_changed(c);
    while ((why = run_guarded(c, run)) == STOP_TRAP)
        if ((why = handle_trap(c)) != GO_ON)
            break;
    return c->stop.kind = why;
}

enum cpu_stop_kind cpu_step(struct cpu *c) { return cpu_step_until(c, c->clock->now); }

enum cpu_stop_kind cpu_step_until(struct cpu *c, cycles_t deadline)
{
    interp_code_changed(c);
    return cpu_step_again(c, deadline);
}

enum cpu_stop_kind cpu_step_again(struct cpu *c, cycles_t deadline)
{
    c->deadline = deadline;
    enum cpu_stop_kind why = run_guarded(c, run_one);
    if (why == STOP_TRAP)
        why = handle_trap(c);
    return c->stop.kind = why;
}

/* Lift or restore the second stage: what the TLB holds depends on it. */
static void set_stage2(struct cpu *c, struct stage2 *s)
{
    if (c->mmu.stage2 != s) {
        c->mmu.stage2 = s;
        mmu_flush(&c->mmu, true);
    }
}

enum cpu_stop_kind cpu_emulate(struct cpu *c)
{
    u64 icept = c->icept;
    struct stage2 *stage2 = c->mmu.stage2;
    c->icept = 0;
    set_stage2(c, NULL);
    c->deadline = c->clock->now;
    interp_code_changed(c);
    enum cpu_stop_kind why = run_guarded(c, run_one);
    c->icept = icept;
    set_stage2(c, stage2);
    return c->stop.kind = why;
}
