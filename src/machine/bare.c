/* SPDX-License-Identifier: MIT */
/*
 * The engine without a monitor: the guest has the processor to itself. It is the baseline that the others' overheads
 * are a percentage of, so the only costs here are the instructions' own, charged by the processor.
 */
#include "machine/bare.h"

#include <stdio.h>

#include "machine/vm.h"

static int bare_probe(char *detail, size_t size, struct error *why)
{
    snprintf(detail, size, "the processor alone, interpreted");
    return 0;
}

/* Nothing to set up: the vcpu's processor is all there is. */
static int bare_vm_init(struct vm *vm, struct error *err) { return 0; }
static void bare_vm_fini(struct vm *vm) {}
static int bare_vcpu_init(struct vcpu *v, struct error *err) { return 0; }
static void bare_vcpu_fini(struct vcpu *v) {}

/* What each stop of the processor means to the run loop. The last three are intercepts, of which a bare
 * processor has none. */
static const enum exit_kind exit_of_stop[] = {
    [STOP_DEADLINE] = EXIT_DEADLINE, [STOP_HLT] = EXIT_HLT,         [STOP_SHUTDOWN] = EXIT_SHUTDOWN,
    [STOP_ATTENTION] = EXIT_KICKED,  [STOP_WINDOW] = EXIT_KICKED,   [STOP_BREAK] = EXIT_DEBUG,
    [STOP_TRAP] = EXIT_STOPPED,      [STOP_INTERCEPT] = EXIT_STOPPED, [STOP_STAGE2] = EXIT_STOPPED,
};

static void set_exit(struct exit *e, enum cpu_stop_kind stop)
{
    e->kind = exit_of_stop[stop];
    if (e->kind == EXIT_STOPPED)
        snprintf(e->stopped.reason, sizeof e->stopped.reason, "the bare processor stopped at an intercept (%d)", stop);
}

/* Deliver a waiting external interrupt if the guest takes it now; otherwise ask for the moment when it will. */
static enum cpu_stop_kind deliver_pending(struct vcpu *v)
{
    struct cpu *c = &v->cpu;
    if (vcpu_nmi_pending(v)) {
        struct trap nmi = vcpu_nmi_take(v);
        return cpu_deliver(c, &nmi);
    }
    bool deliver = vcpu_intr_pending(v) && cpu_interruptible(c);
    c->want_window = vcpu_intr_pending(v) && !deliver;
    return deliver ? cpu_interrupt(c, vcpu_intr_acknowledge(v)) : STOP_DEADLINE;
}

static enum cpu_stop_kind run_once(struct vcpu *v, cycles_t deadline)
{
    enum cpu_stop_kind stop = deliver_pending(v);
    if (stop != STOP_DEADLINE)
        return stop;
    if (v->cpu.state.activity == CPU_HALTED)
        return STOP_HLT;
    return cpu_run(&v->cpu, deadline);
}

static void bare_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    enum cpu_stop_kind stop;
    do
        stop = run_once(v, deadline);
    while (stop == STOP_WINDOW);
    if (stop == STOP_ATTENTION)
        v->cpu.attention = 0;
    set_exit(e, stop);
}

static void bare_step(struct vcpu *v, struct exit *e)
{
    enum cpu_stop_kind stop = deliver_pending(v);
    if (stop == STOP_DEADLINE)
        stop = v->cpu.state.activity == CPU_HALTED ? STOP_HLT : cpu_step(&v->cpu);
    set_exit(e, stop == STOP_DEADLINE ? STOP_BREAK : stop);
}

static void bare_kick(struct vcpu *v) { cpu_kick(&v->cpu); }
static void bare_get_state(struct vcpu *v, struct cpu_state *s) { *s = v->cpu.state; }
static void bare_set_state(struct vcpu *v, const struct cpu_state *s) { cpu_set_state(&v->cpu, s); }

const struct engine_ops bare_engine = {
    .name = "bare",
    .help = "no monitor: the processor alone, the baseline",
    .on_processor = true,
    .image = "native",
    .probe = bare_probe,
    .vm_init = bare_vm_init,
    .vm_fini = bare_vm_fini,
    .vcpu_init = bare_vcpu_init,
    .vcpu_fini = bare_vcpu_fini,
    .run = bare_run,
    .step = bare_step,
    .kick = bare_kick,
    .get_state = bare_get_state,
    .set_state = bare_set_state,
};
