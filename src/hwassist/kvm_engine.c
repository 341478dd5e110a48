/* SPDX-License-Identifier: MIT */
/* The engine's face: chooses a backend, and passes every call on to it. */
#include <stdio.h>
#include <string.h>

#include "hwassist/host/host.h"
#include "hwassist/hwassist.h"
#include "hwassist/vmx/caps.h"

/* Auto: the host where a guest kernel runs on the hardware; a host that emulates it in software is slower than the model, and shows nothing. */
static const struct engine_ops *choose_auto(char *why, size_t size)
{
    struct error err;
    struct host_findings f;
    char found[120];
    if (host_try(&f, &err) < 0) {
        snprintf(why, size, "model: %s", err.text);
        return &kvm_model_backend;
    }
    bool real = f.ns <= HOST_SOFTWARE_NS && f.paging32;
    host_describe(&f, found, sizeof found);
    snprintf(why, size, "%s: /dev/kvm runs kernel code %s", real ? "host" : "model", found);
    return real ? &kvm_host_backend : &kvm_model_backend;
}

const struct engine_ops *kvm_choose(const char *want, char *why, size_t size, struct error *err)
{
    if (!want || !strcmp(want, "auto"))
        return choose_auto(why, size);
    snprintf(why, size, "%s: as --kvm says", want);
    if (!strcmp(want, "model"))
        return &kvm_model_backend;
    if (!strcmp(want, "host"))
        return &kvm_host_backend;
    error_set(err, "--kvm=%s: there are host (the real /dev/kvm), model (VT-x as a model) and auto", want);
    return NULL;
}

static const char *const irqchip_names[] = { [IRQCHIP_OFF] = "off", [IRQCHIP_SPLIT] = "split", [IRQCHIP_ON] = "on" };

void kvm_describe(const struct vm_config *c, char *text, size_t size)
{
    char why[200], features[256];
    struct error err;
    u32 set;
    const struct engine_ops *b = kvm_choose(c->kvm, why, sizeof why, &err);
    *text = 0;
    if (b == &kvm_host_backend) {
        host_params(HOST_MODULES, features, sizeof features);
        snprintf(text, size, "%s; %s; kernel_irqchip=%s", why, features, irqchip_names[c->kernel_irqchip]);
    } else if (b && vmx_features_parse(c->hw, &set, &err) == 0) {
        vmx_features_format(set, features, sizeof features);
        snprintf(text, size, "%s; --hw=%s", why, features);
    }
}

static int probe(char *detail, size_t size, struct error *why)
{
    if (size)
        choose_auto(detail, size);
    return 0; /* the model works everywhere */
}

/* Both backends keep their ops first in vm->engine_data. */
static const struct engine_ops *backend(const struct vm *vm) { return *(const struct engine_ops *const *)vm->engine_data; }

static int vm_init(struct vm *vm, struct error *err)
{
    char why[200];
    const struct engine_ops *b = kvm_choose(vm->config.kvm, why, sizeof why, err);
    trace(&vm->tracer, VMX, "backend=%s", why);
    return b ? b->vm_init(vm, err) : -1;
}

static void vm_fini(struct vm *vm) { backend(vm)->vm_fini(vm); }
static int vcpu_init(struct vcpu *v, struct error *err) { return backend(v->vm)->vcpu_init(v, err); }
static void vcpu_fini(struct vcpu *v) { backend(v->vm)->vcpu_fini(v); }
static void run(struct vcpu *v, cycles_t deadline, struct exit *e) { backend(v->vm)->run(v, deadline, e); }
static void step(struct vcpu *v, struct exit *e) { backend(v->vm)->step(v, e); }
static void kick(struct vcpu *v) { backend(v->vm)->kick(v); }
static void get_state(struct vcpu *v, struct cpu_state *s) { backend(v->vm)->get_state(v, s); }
static void set_state(struct vcpu *v, const struct cpu_state *s) { backend(v->vm)->set_state(v, s); }
static void info(const struct vm *vm, void *file) { backend(vm)->info(vm, file); }

static void reset(struct vm *vm)
{
    if (backend(vm)->reset)
        backend(vm)->reset(vm);
}

static int may_leave(const struct vm *vm, struct error *err) { return backend(vm)->may_leave ? backend(vm)->may_leave(vm, err) : 0; }

const struct engine_ops kvm_engine = {
    .name = "kvm",
    .help = "VT-x: the processor has a second ring 0 for guests; sensitive events leave it as VM exits",
    .on_processor = true,
    .image = "native",
    .probe = probe,
    .vm_init = vm_init,
    .vm_fini = vm_fini,
    .vcpu_init = vcpu_init,
    .vcpu_fini = vcpu_fini,
    .run = run,
    .step = step,
    .kick = kick,
    .get_state = get_state,
    .set_state = set_state,
    .reset = reset,
    .may_leave = may_leave,
    .info = info,
};
