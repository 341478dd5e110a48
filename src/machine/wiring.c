/* SPDX-License-Identifier: MIT */
/*
 * What stands between devices and processors: port access, the interrupt wire, and the devices' requests to the machine.
 *
 * Whatever a device does while the guest runs (an earlier timer, a raised wire, a power-off) makes the engine come
 * back behind the very instruction that caused it. So nothing depends on how long a slice of the run loop is.
 */
#include "machine/wiring.h"

#include <stdarg.h>

static void kick_guest(struct vm *vm)
{
    if (vm->in_guest)
        for (unsigned i = 0; i < vm->nvcpus; i++)
            vm->engine->kick(vm->vcpu[i]);
}

void wiring_deadline_moved(void *vm) { kick_guest(vm); }

void vm_stop(struct vm *vm, int exit_status, const char *fmt, ...)
{
    if (vm->status == VM_ENDED)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(vm->reason, sizeof vm->reason, fmt, ap);
    va_end(ap);
    vm->exit_status = exit_status;
    vm->status = VM_ENDED;
    kick_guest(vm);
}

void vm_interrupt(struct vm *vm, int signal)
{
    vm->interrupt = signal;
    for (unsigned i = 0; i < vm->nvcpus; i++)
        vm->engine->kick(vm->vcpu[i]);
}

/* --- the processor's side --- */

static void check_strict(struct vm *vm, u16 port, const char *what)
{
    if (vm->bus.strict_hit)
        vm_stop(vm, STATUS_STOPPED, "--strict-io: %s of port 0x%x, which no device claims", what, port);
}

u64 vm_io_read(struct vm *vm, u16 port, unsigned size)
{
    u64 value = bus_io_read(&vm->bus, port, size);
    check_strict(vm, port, "a read");
    return value;
}

void vm_io_write(struct vm *vm, u16 port, unsigned size, u64 value)
{
    bus_io_write(&vm->bus, port, size, value);
    check_strict(vm, port, "a write");
}

static u64 env_io_read(void *vm, u16 port, unsigned size) { return vm_io_read(vm, port, size); }
static void env_io_write(void *vm, u16 port, unsigned size, u64 value) { vm_io_write(vm, port, size, value); }

/* The PC has no devices with MSRs yet: those of a local APIC would be here. */
static bool env_msr_read(void *vm, u32 msr, u64 *value) { return false; }
static bool env_msr_write(void *vm, u32 msr, u64 value) { return false; }

const struct cpu_env wiring_cpu_env = { env_io_read, env_io_write, env_msr_read, env_msr_write, NULL };

/* --- the devices' side --- */

static void set_intr(void *sink, unsigned line, bool level)
{
    struct vm *vm = sink;
    struct vcpu *v = vm->vcpu[0];
    if (!v || v->intr == level)
        return;
    v->intr = level;
    if (level)
        kick_guest(vm);
}

u8 vcpu_intr_acknowledge(struct vcpu *v) { return v->vm->intc->acknowledge(v->vm->intc); }

static void request_poweroff(struct vm *vm, int value) { vm_stop(vm, STATUS_POWEROFF, "the guest turned the machine off"); }
static void request_exit(struct vm *vm, int value) { vm_stop(vm, value, "the guest left through its exit port"); }
static void request_a20(struct vm *vm, int value) { physmap_set_a20(&vm->map, value); }
static void request_reset(struct vm *vm, int value)
{
    vm->reset_requested = true;
    kick_guest(vm);
}

static void on_request(void *machine, enum platform_request r, int value)
{
    static void (*const handler[])(struct vm *vm, int value) = {
        [REQUEST_POWEROFF] = request_poweroff, [REQUEST_RESET] = request_reset, [REQUEST_EXIT] = request_exit, [REQUEST_A20] = request_a20,
    };
    handler[r](machine, value);
}

void wiring_init_platform(struct vm *vm)
{
    vm->platform = (struct platform){
        .bus = &vm->bus,
        .map = &vm->map,
        .clock = &vm->clock,
        .tracer = &vm->tracer,
        .cpu_intr = { set_intr, vm, 0 },
        .parallel = vm->config.parallel,
        .debugcon = vm->config.debugcon,
        .ram_size = vm->config.ram_size,
        .request = on_request,
        .machine = vm,
        .debug_exit_port = vm->config.debug_exit_port,
        .debug_exit_size = vm->config.debug_exit_size,
        .rtc_base = vm->config.rtc_base,
        .boot = vm->config.boot ? vm->config.boot : "cad",
    };
    for (unsigned i = 0; i < ARRAY_LEN(vm->platform.serial); i++)
        vm->platform.serial[i] = vm->config.serial[i];
}
