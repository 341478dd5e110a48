/* SPDX-License-Identifier: MIT */
#include "machine/switch.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "machine/bare.h"

/* Who may run this guest, which was not made for a monitor and has been running without knowing of one? */
static int check_choice(const struct vm *vm, const struct engine_choice *to, struct error *err)
{
    if (strcmp(vm->engine->image, to->ops->image))
        return error_set(err, "engine %s runs guests of the kind %s, and this one is %s; take bare, bt or kvm", to->ops->name, to->ops->image, vm->engine->image);
    if (to->ops->max_vcpus && vm->nvcpus > to->ops->max_vcpus)
        return error_set(err, "engine %s runs %u processor%s, and this machine has %u", to->ops->name, to->ops->max_vcpus,
                         to->ops->max_vcpus == 1 ? "" : "s", vm->nvcpus);
    if (vm->engine->may_leave && vm->engine->may_leave(vm, err))
        return -1;
    return to->ops->probe ? to->ops->probe(NULL, 0, err) : 0;
}

static void leave_engine(struct vm *vm, unsigned nvcpus)
{
    while (nvcpus)
        vm->engine->vcpu_fini(vm->vcpu[--nvcpus]);
    vm->engine->vm_fini(vm);
}

/* Engines change what an instruction costs, and what is intercepted: the processor is as cpu_init() has made it. */
static int prepare_vcpu(struct vcpu *v, struct error *err)
{
    struct vm *vm = v->vm;
    cpu_set_costs(&v->cpu, &vm->profile);
    v->cpu.want_window = v->cpu.want_nmi_window = false;
    if (cpu_set_accel(&v->cpu, vm->engine->on_processor ? vm->config.accel : NULL, err))
        return -1;
    return vm->engine->vcpu_init(v, err);
}

static int enter_engine(struct vm *vm, const struct engine_choice *c, struct error *err)
{
    vm->engine = vm->config.engine = c->ops;
    vm->config.kvm = c->kvm;
    vm->config.accel = c->accel;
    if (vm->engine->vm_init(vm, err))
        return -1;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        if (prepare_vcpu(vm->vcpu[i], err)) {
            leave_engine(vm, i);
            return -1;
        }
    }
    return 0;
}

static int enter_or_return(struct vm *vm, const struct engine_choice *from, const struct engine_choice *to, struct error *err)
{
    static const struct engine_choice none = { .ops = &bare_engine }; /* it has nothing to set up, so it cannot fail */
    struct error again;
    if (enter_engine(vm, to, err) == 0)
        return 0;
    if (enter_engine(vm, from, &again) == 0)
        return -1;
    enter_engine(vm, &none, &again);
    vm_stop(vm, STATUS_STOPPED, "engine %s did not come back: %s", from->ops->name, again.text);
    return -1;
}

int vm_switch_engine(struct vm *vm, const struct engine_choice *to, struct error *err)
{
    struct cpu_state state[VM_MAX_VCPUS];
    struct engine_choice from = { vm->engine, vm->config.kvm, vm->config.accel };
    assert(!vm->in_guest);
    if (check_choice(vm, to, err))
        return -1;
    for (unsigned i = 0; i < vm->nvcpus; i++)
        vm->engine->get_state(vm->vcpu[i], &state[i]);
    leave_engine(vm, vm->nvcpus);
    int r = enter_or_return(vm, &from, to, err);
    for (unsigned i = 0; i < vm->nvcpus; i++)
        vm->engine->set_state(vm->vcpu[i], &state[i]);
    trace(&vm->tracer, EXIT, "engine=%s now=0x%" PRIx64, vm->engine->name, vm->clock.now);
    return r;
}
