/* SPDX-License-Identifier: MIT */
/*
 * The engine: a dispatcher between the cache and the monitor.
 *
 * Flat 32-bit protected-mode code is translated, at any privilege. What cannot be (real and 16-bit modes, segments with
 * bases, single steps) goes through the interpreter, and so does each instruction for which translated code comes back: it runs
 * there on the guest's virtual state, as the guest's own kernel expects it to.
 */
#include "bt/bt.h"

#include <stdio.h>

#include "bt/account.h"
#include "bt/internal.h"
#include "bt/show.h"
#include "machine/vm.h"

#define INTERPRET_SLICE 2000    /* cycles in the interpreter before we look again whether the translator can go on */

/* --- set-up --- */

static int bt_probe(char *detail, size_t size, struct error *why)
{
    snprintf(detail, size, "binary translation of 32-bit code to the host's own");
    return 0;
}

/* All of it is the processor's: vcpu->engine_data. */
static int bt_vm_init(struct vm *vm, struct error *err) { return 0; }
static void bt_vm_fini(struct vm *vm) {}

static int bt_vcpu_init(struct vcpu *v, struct error *err)
{
    account_init(&v->cpu);
    v->engine_data = core_new(&v->cpu, &account_policy, v, err);
    return v->engine_data ? 0 : -1;
}

static void bt_vcpu_fini(struct vcpu *v)
{
    core_free(v->engine_data);
    v->engine_data = NULL;
}

/* --- the dispatcher --- */

static const enum exit_kind exit_of_stop[] = {
    [STOP_DEADLINE] = EXIT_DEADLINE, [STOP_HLT] = EXIT_HLT,     [STOP_SHUTDOWN] = EXIT_SHUTDOWN,
    [STOP_ATTENTION] = EXIT_KICKED,  [STOP_WINDOW] = EXIT_KICKED, [STOP_BREAK] = EXIT_DEBUG,
    [STOP_TRAP] = EXIT_STOPPED,      [STOP_INTERCEPT] = EXIT_STOPPED, [STOP_STAGE2] = EXIT_STOPPED,
};

/* The monitor emulates one instruction. */
static enum cpu_stop_kind emulate(struct bt_vcpu *t, cycles_t deadline) { return cpu_step_again(t->cpu, deadline); }

static enum cpu_stop_kind emulate_adapted(struct bt_vcpu *t, u32 eip, cycles_t deadline)
{
    u64 before = adapt_before(t->bt);
    enum cpu_stop_kind stop = emulate(t, deadline);
    adapt_after(t, eip, before);
    return stop;
}

static enum cpu_stop_kind after_cache(struct bt_vcpu *t, cycles_t deadline)
{
    u32 eip = t->context.eip;
    switch ((enum leave)t->context.leave) {
    case LEAVE_CALLOUT:
        account_callout(t);
        return adapted(t->bt, eip) ? emulate_adapted(t, eip, deadline) : emulate(t, deadline);
    case LEAVE_FAULT:
        account_fault(t);
        if (t->fault == FILL_TRACED || t->fault == FILL_MMIO || t->fault == FILL_CODE)
            adapt_fault(t, eip);
        return emulate(t, deadline);
    case LEAVE_DEADLINE: /* less is left than the next unit costs: the last instructions one by one, up to the very deadline */
        return emulate(t, deadline);
    case LEAVE_MISS:
    case LEAVE_LINK:
    case LEAVE_GUARD: /* a callout by now */
        break;
    }
    return STOP_DEADLINE;
}

/* Modes that are not translated: the interpreter, with the monitor in between where the instruction is its business. */
static enum cpu_stop_kind interpret(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = t->cpu;
    cycles_t slice = c->clock->now + INTERPRET_SLICE;
    c->icept = ACCOUNT_INTERCEPTS;
    c->want_window = vcpu_intr_pending(t->owner); /* it cannot be taken now: stop as soon as it can, which may be for one instruction */
    enum cpu_stop_kind stop = cpu_run(c, slice < deadline ? slice : deadline);
    c->icept = 0;
    c->want_window = false;
    if (stop == STOP_WINDOW)
        return STOP_DEADLINE;
    if (stop != STOP_INTERCEPT)
        return stop;
    account_intercept(t);
    return emulate(t, deadline);
}

static enum cpu_stop_kind deliver_pending(struct bt_vcpu *t)
{
    struct vcpu *v = t->owner;
    if (vcpu_nmi_pending(v)) {
        struct trap nmi = vcpu_nmi_take(v);
        account_interrupt(t);
        return cpu_deliver(&v->cpu, &nmi);
    }
    if (!vcpu_intr_pending(v) || !cpu_interruptible(&v->cpu))
        return STOP_DEADLINE;
    account_interrupt(t);
    return cpu_interrupt(&v->cpu, vcpu_intr_acknowledge(v));
}

/* RF came with the IRET from a fault's handler: the instruction that faulted is done again. This monitor interprets it, so that a page
 * which is touched only once never gets a shadow entry. Monitors of the early kind (-shadow-spaces) let it run, and take the hidden fault: RF is
 * for breakpoints only, of which there are none. Instructions that would show RF to the guest are stepped in any case. */
static bool again_after_fault(struct bt_vcpu *t)
{
    const struct cpu *c = t->cpu;
    struct insn i;
    return t->bt->nwindows < MAX_WINDOWS && c->state.rflags & FLAG_RF && !(c->state.rflags & FLAG_TF) && !c->debug && !(c->state.dr[7] & 0xff) && account_insn(t, &i) && i.row->class == CLASS_PLAIN;
}

static enum cpu_stop_kind run_once(struct bt_vcpu *t, cycles_t deadline)
{
    struct cpu *c = t->cpu;
    enum cpu_stop_kind stop = deliver_pending(t);
    if (stop != STOP_DEADLINE)
        return stop;
    if (c->state.activity == CPU_HALTED)
        return STOP_HLT;
    if (again_after_fault(t))
        c->state.rflags &= ~(u64)FLAG_RF;
    if (!c->debug && (c->state.rflags & (FLAG_TF | FLAG_RF) || c->state.sti_shadow || c->state.movss_shadow)) {
        account_step(t); /* STI; HLT comes this way, and a REP string that was cut short (RF) */
        return cpu_step_until(c, deadline);
    }
    switch (core_run(t, deadline)) {
    case CORE_NOT: return interpret(t, deadline);
    case CORE_STEP: return emulate(t, deadline);
    case CORE_RAN: break;
    }
    return after_cache(t, deadline);
}

static void set_exit(struct exit *e, enum cpu_stop_kind stop)
{
    e->kind = exit_of_stop[stop];
    if (e->kind == EXIT_STOPPED)
        snprintf(e->stopped.reason, sizeof e->stopped.reason, "bt: the interpreter stopped at an intercept that nobody set (%d)", stop);
}

static void bt_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct bt_vcpu *t = v->engine_data;
    enum cpu_stop_kind stop = STOP_DEADLINE;
    while (stop == STOP_DEADLINE && v->cpu.clock->now < deadline && !v->cpu.attention)
        stop = run_once(t, deadline);
    if (stop == STOP_DEADLINE && v->cpu.attention)
        stop = STOP_ATTENTION;
    if (stop == STOP_ATTENTION)
        v->cpu.attention = 0;
    set_exit(e, stop);
}

static void bt_step(struct vcpu *v, struct exit *e)
{
    struct bt_vcpu *t = v->engine_data;
    enum cpu_stop_kind stop = deliver_pending(t);
    if (stop == STOP_DEADLINE)
        stop = v->cpu.state.activity == CPU_HALTED ? STOP_HLT : cpu_step(&v->cpu);
    set_exit(e, stop == STOP_DEADLINE ? STOP_BREAK : stop);
}

static void bt_kick(struct vcpu *v) { cpu_kick(&v->cpu); }
static void bt_get_state(struct vcpu *v, struct cpu_state *s) { *s = v->cpu.state; }
static void bt_set_state(struct vcpu *v, const struct cpu_state *s) { cpu_set_state(&v->cpu, s); }

static void bt_info(const struct vm *vm, void *file) { bt_summary(vm->vcpu[0]->engine_data, file); }

const struct engine_ops bt_engine = {
    .name = "bt",
    .help = "binary translation in VMware's style: guest code rewritten while it runs, shadow page tables",
    .image = "native",
    .probe = bt_probe,
    .vm_init = bt_vm_init,
    .vm_fini = bt_vm_fini,
    .vcpu_init = bt_vcpu_init,
    .vcpu_fini = bt_vcpu_fini,
    .run = bt_run,
    .step = bt_step,
    .kick = bt_kick,
    .get_state = bt_get_state,
    .set_state = bt_set_state,
    .info = bt_info,
};
