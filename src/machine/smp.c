/* SPDX-License-Identifier: MIT */
#include "machine/smp.h"

#include <stddef.h>
#include <string.h>

#include "devices/interrupt/apic.h"

#define TURN 50000  /* cycles of a turn while others wait for theirs, on average: 20 us, some spins of a lock and few of a waiter's */

/*
 * Turns differ in length. Who gives a lock back and takes it again in a loop (firmware does, while it waits for the other processors)
 * may be in the same phase of that loop at the end of equal turns, for ever, and then nobody else gets the lock. The lengths are a
 * sequence of the machine's own (a linear congruential generator, Knuth's MMIX): the same in every run.
 */
static cycles_t turn_length(struct vm *vm)
{
    vm->turn_state = vm->turn_state * 6364136223846793005u + 1442695040888963407u;
    return TURN / 2 + (vm->turn_state >> 33) % TURN;
}

/* --- what there can be --- */

bool vm_has_apic(const struct vm *vm)
{
    const struct cpu_model *m = cpu_model_find(vm->config.cpu_model);
    bool native = !strcmp(vm->engine->image, "native");
    return native && m && m->features_edx & CPUID_MSR; /* from the Pentium on */
}

int smp_check(const struct vm *vm, struct error *err)
{
    unsigned n = vm->config.smp, most = vm->engine->max_vcpus ? vm->engine->max_vcpus : VM_MAX_VCPUS;
    if (n > VM_MAX_VCPUS)
        return error_set(err, "-smp %u: a machine has at most %u processors", n, VM_MAX_VCPUS);
    if (n > most)
        return error_set(err, "-smp %u: the engine %s runs one processor; give -smp 1, or another engine", n, vm->engine->name);
    if (n > 1 && !vm_has_apic(vm))
        return error_set(err, "-smp %u: a %s has no local APIC; give -smp 1, or -cpu pentium or later", n, vm->config.cpu_model);
    return 0;
}

u64 smp_apic_base(const struct vcpu *v)
{
    return v->vm->platform.apic ? LAPIC_GPA | APIC_BASE_ENABLED | (v->index ? 0 : APIC_BASE_BSP) : 0;
}

/* --- starting and stopping --- */

static void set_waiting(struct vcpu *v, struct cpu_state *s)
{
    s->activity = CPU_WAIT_SIPI;
    v->rest = VCPU_WAITS;
    v->vm->engine->set_state(v, s);
}

void smp_reset(struct vm *vm)
{
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpu[i];
        v->nmi = v->init = false;
        v->startup = -1;
        v->rest = VCPU_RUNS;
        if (i) {
            cpu_reset(&v->cpu);
            struct cpu_state s = v->cpu.state;
            s.apic_base = smp_apic_base(v);
            set_waiting(v, &s);
        }
    }
    vm->current = 0;
    vm->turn_end = 0;
    vm->turn_state = 0;
}

void smp_signal(struct vcpu *v, enum cpu_signal s, u8 vector)
{
    switch (s) {
    case CPU_SIGNAL_NMI:
        v->nmi = true;
        break;
    case CPU_SIGNAL_INIT:
        v->init = true;
        v->startup = -1;
        break;
    case CPU_SIGNAL_STARTUP: /* otherwise it is ignored */
        if (v->init || v->rest == VCPU_WAITS)
            v->startup = vector;
        break;
    }
}

/* SDM vol. 3, table 10-1: INIT is a reset that leaves FPU, caches, MSRs and the time-stamp counter alone. */
static void take_init(struct vcpu *v)
{
    const struct engine_ops *e = v->vm->engine;
    struct cpu_state s, fresh;
    e->get_state(v, &s);
    state_reset(&fresh);
    memcpy(&s, &fresh, offsetof(struct cpu_state, sysenter_cs));
    s.cr0 |= v->cpu.state.cr0 & (CR0_CD | CR0_NW);
    s.gpr[RDX] = v->cpu.model->signature;
    s.activity = CPU_ACTIVE;
    s.sti_shadow = s.movss_shadow = s.nmi_blocked = 0;
    v->init = v->nmi = false;
    if (v->index) {
        set_waiting(v, &s);
        return;
    }
    v->rest = VCPU_RUNS; /* the bootstrap processor starts at the reset vector (9.4.2) */
    e->set_state(v, &s);
}

/* It starts in real mode at the beginning of the page that the vector names (9.4.4). */
static void take_startup(struct vcpu *v)
{
    struct cpu_state s;
    v->vm->engine->get_state(v, &s);
    s.seg[CS].selector = v->startup << 8;
    s.seg[CS].base = (u64)v->startup << 12;
    s.rip = 0;
    s.activity = CPU_ACTIVE;
    v->startup = -1;
    v->rest = VCPU_RUNS;
    v->vm->engine->set_state(v, &s);
}

void smp_take_signals(struct vm *vm)
{
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpu[i];
        if (v->init)
            take_init(v);
        if (v->startup >= 0)
            take_startup(v);
    }
}

/* --- turns --- */

static bool can_run(const struct vcpu *v)
{
    bool woken = vcpu_nmi_pending(v) || (v->wakeable && vcpu_intr_pending(v));
    return v->rest == VCPU_RUNS || (v->rest == VCPU_HALTED && woken);
}

struct vcpu *smp_next(struct vm *vm)
{
    struct vcpu *v = vm_current(vm);
    if (vm->nvcpus == 1)
        return v->rest == VCPU_WAITS ? NULL : v;
    if (can_run(v) && vm->clock.now < vm->turn_end)
        return v;
    for (unsigned i = 1; i <= vm->nvcpus; i++) {
        v = vm->vcpu[(vm->current + i) % vm->nvcpus];
        if (can_run(v)) {
            vm->turn_end = vm->clock.now + turn_length(vm);
            return v;
        }
    }
    return NULL;
}

static bool others_can_run(const struct vcpu *v)
{
    for (unsigned i = 0; i < v->vm->nvcpus; i++)
        if (i != v->index && can_run(v->vm->vcpu[i]))
            return true;
    return false;
}

cycles_t smp_begin_turn(struct vcpu *v)
{
    v->vm->current = v->index;
    v->vm->tracer.icount = &v->cpu.icount;
    v->rest = VCPU_RUNS;
    return v->vm->nvcpus > 1 && others_can_run(v) ? v->vm->turn_end : CLOCK_NEVER;
}

void smp_halted(struct vcpu *v)
{
    struct cpu_state s;
    if (v->vm->nvcpus == 1)
        return;
    v->vm->engine->get_state(v, &s);
    v->rest = VCPU_HALTED;
    v->wakeable = s.rflags & FLAG_IF;
}

bool smp_dead(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->nvcpus; i++)
        if (vm->vcpu[i]->rest == VCPU_RUNS || (vm->vcpu[i]->rest == VCPU_HALTED && vm->vcpu[i]->wakeable))
            return false;
    return true;
}
