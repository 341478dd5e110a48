/* SPDX-License-Identifier: MIT */
/*
 * What stands between devices and processors: port access, the interrupt wire, and the devices' requests to the machine.
 *
 * Whatever a device does while the guest runs (an earlier timer, a raised wire, a power-off) makes the engine come
 * back behind the very instruction that caused it. So nothing depends on how long a slice of the run loop is.
 */
#include "machine/wiring.h"

#include <stdarg.h>

#include "devices/interrupt/apic.h"
#include "machine/smp.h"

static void kick_guest(struct vm *vm)
{
    if (vm->in_guest)
        vm->engine->kick(vm_current(vm));
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

static u64 env_io_read(void *vcpu, u16 port, unsigned size) { return vm_io_read(((struct vcpu *)vcpu)->vm, port, size); }
static void env_io_write(void *vcpu, u16 port, unsigned size, u64 value) { vm_io_write(((struct vcpu *)vcpu)->vm, port, size, value); }

static bool env_msr_read(void *vcpu, u32 msr, u64 *value) { return false; }

/* The processor keeps IA32_APIC_BASE; its APIC hears whether it is on. It does not move: elsewhere it is as good as off. */
static bool env_msr_write(void *vcpu, u32 msr, u64 value)
{
    struct vcpu *v = vcpu;
    if (msr != MSR_APIC_BASE || !v->vm->platform.apic)
        return false;
    apic_enable(v->vm->platform.apic, v->index, value & APIC_BASE_ENABLED && (value & ~(u64)0xfff) == LAPIC_GPA);
    return true;
}

const struct cpu_env wiring_cpu_env = { env_io_read, env_io_write, env_msr_read, env_msr_write, NULL };

/* --- the devices' side --- */

/* Something has come for that processor. It is looked at behind the very instruction; another processor's turn ends there. */
static void attend(struct vcpu *v)
{
    struct vm *vm = v->vm;
    if (v->index != vm->current)
        vm->turn_end = vm->clock.now;
    kick_guest(vm);
}

static void set_intr(void *sink, unsigned line, bool level)
{
    struct vm *vm = sink;
    struct vcpu *v = vm->vcpu[line];
    if (!v || v->intr == level)
        return;
    v->intr = level;
    if (level)
        attend(v);
}

static void on_cpu_signal(void *machine, unsigned cpu, enum cpu_signal s, u8 vector)
{
    struct vm *vm = machine;
    struct vcpu *v = vm->vcpu[cpu];
    if (!v)
        return;
    smp_signal(v, s, vector);
    attend(v);
}

struct trap vcpu_nmi_take(struct vcpu *v)
{
    v->nmi = false;
    return (struct trap){ .vector = VEC_NMI, .type = TRAP_NMI };
}

u8 vcpu_intr_acknowledge(struct vcpu *v) { return v->vm->intc->acknowledge(v->vm->intc); }

static void on_host_interrupt(void *machine) { ((struct vm *)machine)->host_interrupted = true; }

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

static void relay(void *sink, unsigned line, bool level)
{
    struct vm *vm = sink;
    vm->isa_level = level ? vm->isa_level | BIT(line) : vm->isa_level & ~BIT(line);
    if (vm->irq_tap.set)
        vm->irq_tap.set(vm->irq_tap.sink, line, level);
    else
        irq_set(&vm->isa_wire[line], level);
}

/* Devices get wires that lead to whoever has the interrupt controllers: the machine, or the host's kernel. */
void wiring_relay_irqs(struct vm *vm)
{
    for (unsigned line = 0; line < ARRAY_LEN(vm->isa_wire); line++) {
        vm->isa_wire[line] = vm->platform.isa_irq[line];
        vm->platform.isa_irq[line] = (struct irq){ relay, vm, line };
    }
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
        .has_apic = vm_has_apic(vm),
        .ncpus = vm->config.smp,
        .this_cpu = &vm->current,
        .shortcuts = &vm->shortcuts,
        .cpu_signal = on_cpu_signal,
        .request = on_request,
        .host_interrupt = on_host_interrupt,
        .posting = &vm->posts_interrupts,
        .ledger = &vm->ledger,
        .machine = vm,
        .debug_exit_port = vm->config.debug_exit_port,
        .debug_exit_size = vm->config.debug_exit_size,
        .rtc_base = vm->config.rtc_base,
        .boot = vm->config.boot ? vm->config.boot : "cad",
    };
    for (unsigned i = 0; i < ARRAY_LEN(vm->platform.serial); i++)
        vm->platform.serial[i] = vm->config.serial[i];
}
