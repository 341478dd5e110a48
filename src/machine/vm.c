/* SPDX-License-Identifier: MIT */
/*
 * Building a machine: a list of phases, each with its undo. Whoever wants to know what a VM consists of reads
 * the table at the end of this file.
 */
#include "machine/vm.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "devices/interrupt/apic.h"
#include "machine/assign.h"
#include "machine/firmware_pci.h"
#include "machine/firmware_rom.h"
#include "machine/loader.h"
#include "machine/network.h"
#include "machine/smp.h"
#include "machine/storage.h"
#include "machine/wiring.h"

#define MIB ((u64)1 << 20)
#define RAM_MAX (3072 * MIB)    /* above stands what a PC keeps for PCI, APICs and firmware */
#define VGA_HOLE 0xa0000
#define UPPER_MEMORY 0xc0000

void vm_config_defaults(struct vm_config *c)
{
    *c = (struct vm_config){
        .profile = "curriculum",
        .ram_size = 128 * MIB,
        .debug_exit_port = 0xf4,
        .debug_exit_size = 1,
        .rtc_base = 1577836800,
        .model_irqchip = IRQCHIP_ON,
    };
}

static int check_config(struct vm *vm, struct error *err)
{
    u64 ram = vm->config.ram_size;
    if (ram < MIB || ram % PAGE_SIZE)
        return error_set(err, "a machine needs at least 1 MiB of memory, in whole pages of 4 KiB; try -m 128");
    if (ram > RAM_MAX)
        return error_set(err, "%llu MiB of memory do not fit below the devices; the most is -m %llu", (unsigned long long)(ram / MIB),
                         (unsigned long long)(RAM_MAX / MIB));
    if (!vm->config.cpu_model)
        vm->config.cpu_model = vm->config.kernel && kernel_is_64bit(vm->config.kernel) ? "core2-64" : "core2";
    if (smp_check(vm, err))
        return -1;
    return vm->engine->probe ? vm->engine->probe(NULL, 0, err) : 0;
}

static int init_profile(struct vm *vm, struct error *err)
{
    return profile_load(&vm->profile, vm->config.profile, err);
}
static void fini_profile(struct vm *vm) { profile_fini(&vm->profile); }

static int init_clock(struct vm *vm, struct error *err)
{
    clock_init(&vm->clock, vm->profile.value[COMP_CPU_HZ]);
    vm->clock.sooner = wiring_deadline_moved;
    vm->clock.sooner_opaque = vm;
    vm->tracer.clock = &vm->clock;
    return 0;
}
static void fini_clock(struct vm *vm) { clock_fini(&vm->clock); }

static int init_ledger(struct vm *vm, struct error *err)
{
    if (ledger_init(&vm->ledger, &vm->clock, &vm->profile, err))
        return -1;
    vm->ledger.observer = vm->config.observer;
    return 0;
}

/* The PC's memory: 640 KiB, the hole where VGA shows its own, upper memory up to 1 MiB, and the rest. */
static int add_ram(struct vm *vm, struct error *err)
{
    u64 ram = vm->config.ram_size;
    if (!physmap_add_ram(&vm->map, "low memory", 0, VGA_HOLE, err) ||
        !physmap_add_ram(&vm->map, "upper memory", UPPER_MEMORY, MIB - UPPER_MEMORY, err))
        return -1;
    return ram == MIB || physmap_add_ram(&vm->map, "memory", MIB, ram - MIB, err) ? 0 : -1;
}

static int init_memory(struct vm *vm, struct error *err)
{
    if (physmap_init_beside(&vm->map, vm->config.neighbor ? &vm->config.neighbor->map : NULL, vm->config.ram_size, err))
        return -1;
    if (add_ram(vm, err)) {
        physmap_fini(&vm->map);
        return -1;
    }
    return 0;
}
static void fini_memory(struct vm *vm) { physmap_fini(&vm->map); }

static int init_bus(struct vm *vm, struct error *err)
{
    bus_init(&vm->bus, &vm->map, &vm->tracer);
    vm->bus.strict_io = vm->config.strict_io;
    wiring_init_platform(vm);
    return 0;
}
static void fini_bus(struct vm *vm) { bus_fini(&vm->bus); }

static void fini_devices(struct vm *vm)
{
    while (vm->ndevices) {
        struct device *d = vm->device[--vm->ndevices];
        d->ops->destroy(d);
    }
}

static int init_devices(struct vm *vm, struct error *err)
{
    for (const struct device_ops *const *ops = pc_devices; *ops && vm->ndevices < VM_MAX_DEVICES; ops++) {
        struct device *d = (*ops)->create(&vm->platform, err);
        if (!d) {
            fini_devices(vm);
            return -1;
        }
        vm->device[vm->ndevices++] = d;
        if (*ops == &ioapic_ops) /* the last that publishes wires */
            wiring_relay_irqs(vm);
    }
    vm->intc = vm->platform.intc;
    return 0;
}

static struct vcpu *vcpu_new(struct vm *vm, unsigned index, const struct cpu_model *model, struct error *err)
{
    struct vcpu *v = aligned_alloc(_Alignof(struct vcpu), sizeof *v);
    memset(v, 0, sizeof *v);
    v->vm = vm;
    v->index = index;
    if (cpu_init(&v->cpu, model, &vm->map, &vm->clock, &vm->ledger, &vm->profile, &vm->tracer, err)) {
        free(v);
        return NULL;
    }
    v->cpu.env = &wiring_cpu_env;
    v->cpu.env_opaque = v;
    v->cpu.apic_id = index;
    v->cpu.threads = vm->config.package_cpus ? vm->config.package_cpus : vm->config.smp;
    v->cpu.state.apic_base = smp_apic_base(v); /* CPUID depends on it */
    v->cpu.timing_model = vm->config.timing_model;
    v->cpu.mmu.caches.without = vm->config.without_caches;
    v->cpu.translation_cache = vm->config.translation_cache;
    v->cpu.shadow_spaces = vm->config.shadow_spaces;
    return v;
}

static int add_vcpu(struct vm *vm, const struct cpu_model *model, struct error *err)
{
    unsigned n = vm->nvcpus;
    vm->vcpu[n] = vcpu_new(vm, n, model, err);
    if (!vm->vcpu[n])
        return -1;
    vm->nvcpus++;
    return vm->config.accel && vm->engine->on_processor ? cpu_set_accel(&vm->vcpu[n]->cpu, vm->config.accel, err) : 0;
}

static int init_vcpus(struct vm *vm, struct error *err)
{
    const struct cpu_model *model = cpu_model_find(vm->config.cpu_model);
    if (!model)
        return error_set(err, "no processor model is called '%s'; `emu list cpus` prints them", vm->config.cpu_model);
    while (vm->nvcpus < vm->config.smp)
        if (add_vcpu(vm, model, err))
            return -1;
    vm->tracer.icount = &vm->vcpu[0]->cpu.icount;
    return 0;
}

static void fini_vcpus(struct vm *vm)
{
    while (vm->nvcpus) {
        struct vcpu *v = vm->vcpu[--vm->nvcpus];
        vm->vcpu[vm->nvcpus] = NULL;
        cpu_fini(&v->cpu);
        free(v);
    }
}

/* The first n. */
static void fini_engine_vcpus(struct vm *vm, unsigned n)
{
    while (n)
        vm->engine->vcpu_fini(vm->vcpu[--n]);
}

static int init_engine(struct vm *vm, struct error *err)
{
    if (vm->engine->vm_init(vm, err))
        return -1;
    for (unsigned i = 0; i < vm->nvcpus; i++) {
        if (vm->engine->vcpu_init(vm->vcpu[i], err)) {
            fini_engine_vcpus(vm, i);
            vm->engine->vm_fini(vm);
            return -1;
        }
    }
    return 0;
}
static void fini_engine(struct vm *vm)
{
    fini_engine_vcpus(vm, vm->nvcpus);
    vm->engine->vm_fini(vm);
}

/* Put the guest in place and hand the processor's state to the engine. */
static int load_guest(struct vm *vm, struct error *err)
{
    struct vcpu *v = vm->vcpu[0];
    cpu_reset(&v->cpu);
    if (!vm->config.bios)
        firmware_leave_pci(vm);
    if (vm->config.kernel && (vm->engine->load ? vm->engine->load(vm, err) : load_kernel(vm, vm->config.kernel, err)))
        return -1;
    struct cpu_state entry = v->cpu.state;
    entry.apic_base = smp_apic_base(v);
    vm->engine->set_state(v, &entry);
    smp_reset(vm);
    return 0;
}

void vm_reset(struct vm *vm)
{
    struct error err;
    vm->reset_requested = false;
    physmap_set_a20(&vm->map, true);
    for (unsigned i = 0; i < vm->ndevices; i++)
        if (vm->device[i]->ops->reset)
            vm->device[i]->ops->reset(vm->device[i]);
    if (vm->engine->reset)
        vm->engine->reset(vm);
    if (load_guest(vm, &err))
        vm_stop(vm, STATUS_STOPPED, "the guest rebooted, but its image could not be loaded again: %s", err.text);
}

static const struct phase {
    int (*init)(struct vm *vm, struct error *err);
    void (*fini)(struct vm *vm);
} phases[] = {
    { check_config, NULL },
    { init_profile, fini_profile },
    { init_clock, fini_clock },
    { init_ledger, NULL },
    { init_memory, fini_memory },
    { init_bus, fini_bus },
    { storage_open, storage_close },
    { network_open, network_close },
    { assign_open, assign_close },
    { firmware_load_rom, NULL },
    { init_devices, fini_devices },
    { firmware_fill_fwcfg, NULL },
    { init_vcpus, fini_vcpus },
    { init_engine, fini_engine },
    { load_guest, NULL },
};

struct vm *vm_new(const struct vm_config *c, struct error *err)
{
    struct vm *vm = calloc(1, sizeof *vm);
    vm->config = *c;
    vm->config.smp = c->smp ? c->smp : 1;
    vm->engine = c->engine;
    vm->tracer = c->tracer;
    for (; vm->phases < ARRAY_LEN(phases); vm->phases++) {
        if (phases[vm->phases].init(vm, err)) {
            vm_free(vm);
            return NULL;
        }
    }
    return vm;
}

void vm_free(struct vm *vm)
{
    while (vm && vm->phases) {
        const struct phase *p = &phases[--vm->phases];
        if (p->fini)
            p->fini(vm);
    }
    free(vm);
}
