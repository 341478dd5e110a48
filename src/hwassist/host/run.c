/* SPDX-License-Identifier: MIT */
/* KVM_RUN, and what its exits ask for. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* --- the deadline: a timer whose signal makes KVM_RUN come back --- */

int host_signal(void) { return SIGRTMIN + 4; }

/* The timer carries the address of kvm_run: also a signal that comes just before KVM_RUN is not lost. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    if (info->si_code == SI_TIMER && info->si_value.sival_ptr)
        __atomic_store_n(&((struct kvm_run *)info->si_value.sival_ptr)->immediate_exit, 1, __ATOMIC_RELAXED);
}

int host_timer_create(struct host_vcpu *h, struct error *err)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = host_signal(), .sigev_value = { .sival_ptr = h->run } };
    event.sigev_notify_thread_id = gettid();
    h->thread = pthread_self();
    if (sigaction(host_signal(), &action, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &event, &h->timer) < 0)
        return error_set(err, "no timer for the guest's deadlines: %s; use --kvm=model", strerror(errno));
    h->has_timer = true;
    return 0;
}

static void arm(struct host_vcpu *h, u64 ns)
{
    struct itimerspec t = { .it_value = { ns / 1000000000, ns % 1000000000 } };
    timer_settime(h->timer, 0, &t, NULL);
}

/* --- interrupts --- */

static void inject(struct host_vcpu *h)
{
    struct kvm_interrupt irq = { .irq = vcpu_intr_acknowledge(h->v) };
    ioctl(h->fd, KVM_INTERRUPT, &irq);
    h->run->ready_for_interrupt_injection = 0;
    h->v->cpu.state.activity = CPU_ACTIVE;
    ledger_charge(h->v->cpu.ledger, EV_KVMHOST_INJECT);
}

/* A pending interrupt goes in now if the guest takes it; otherwise KVM is asked for the moment when it will. */
static void prepare_interrupts(struct host_vcpu *h)
{
    if (vcpu_nmi_pending(h->v)) {
        vcpu_nmi_take(h->v);
        ioctl(h->fd, KVM_NMI, 0);
        h->v->cpu.state.activity = CPU_ACTIVE;
    }
    if (vcpu_intr_pending(h->v) && h->run->ready_for_interrupt_injection && h->run->if_flag)
        inject(h);
    h->run->request_interrupt_window = vcpu_intr_pending(h->v);
}

/* --- the interpreter, for what KVM would not do --- */

/* The guest has written memory without the interpreter's knowledge: what it has decoded of this page and the next is not to be trusted. */
static void forget_decoded(struct cpu *c)
{
    for (int i = 0; i < 2; i++) {
        struct xlat x;
        if (mmu_probe(&c->mmu, (cpu_linear_rip(c) & PAGE_MASK) + i * PAGE_SIZE, ACCESS_EXEC, false, &x) == 0)
            physmap_written(c->mmu.map, x.gpa & PAGE_MASK, PAGE_SIZE);
    }
}

static enum cpu_stop_kind interpret_one(struct host_vcpu *h)
{
    struct cpu *c = &h->v->cpu;
    host_pull(h);
    forget_decoded(c);
    ledger_charge(c->ledger, EV_KVMHOST_INTERPRETED);
    h->interpreted++;
    if (vcpu_intr_pending(h->v) && cpu_interruptible(c))
        return cpu_interrupt(c, vcpu_intr_acknowledge(h->v));
    return c->state.activity == CPU_HALTED ? STOP_HLT : cpu_step(c);
}

static const enum exit_kind exit_of_stop[] = {
    [STOP_DEADLINE] = EXIT_DEADLINE, [STOP_HLT] = EXIT_HLT, [STOP_SHUTDOWN] = EXIT_SHUTDOWN, [STOP_BREAK] = EXIT_DEBUG, [STOP_ATTENTION] = EXIT_KICKED,
};

/* --- KVM's exits. True: run on. --- */

static void charge(struct host_vcpu *h, enum event ev) { ledger_charge(h->v->cpu.ledger, ev); }

static bool leave(struct exit *e, enum exit_kind kind)
{
    e->kind = kind;
    return false;
}

static bool on_io(struct host_vcpu *h, struct exit *e)
{
    struct vm *vm = h->v->vm;
    u8 *data = (u8 *)h->run + h->run->io.data_offset;
    unsigned size = h->run->io.size;
    h->unfinished = true;
    charge(h, EV_KVMHOST_IO);
    for (u32 i = 0; i < h->run->io.count && vm->status == VM_RUNNING; i++, data += size) {
        u64 value = 0;
        if (h->run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, size);
            vm_io_write(vm, h->run->io.port, size, value);
        } else {
            value = vm_io_read(vm, h->run->io.port, size);
            memcpy(data, &value, size);
        }
    }
    return true;
}

static bool on_mmio(struct host_vcpu *h, struct exit *e)
{
    h->unfinished = true;
    charge(h, EV_KVMHOST_MMIO);
    if (h->run->mmio.is_write)
        physmap_write(&h->v->vm->map, h->run->mmio.phys_addr, h->run->mmio.data, h->run->mmio.len);
    else
        physmap_read(&h->v->vm->map, h->run->mmio.phys_addr, h->run->mmio.data, h->run->mmio.len);
    return true;
}

static bool on_hlt(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_HLT);
    host_bells_serve(h->vm);
    host_pull(h);
    h->v->cpu.state.activity = CPU_HALTED;
    return true;
}

static bool on_window(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_WINDOW);
    return true;
}

static bool on_shutdown(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_OTHER);
    host_pull(h);
    h->v->cpu.state.activity = CPU_SHUT_DOWN;
    return leave(e, EXIT_SHUTDOWN);
}

static bool stopped(struct host_vcpu *h, struct exit *e, const char *what, u64 number)
{
    host_pull(h);
    snprintf(e->stopped.reason, sizeof e->stopped.reason, "the host's KVM stopped the guest: %s %" PRIu64 ", rip 0x%" PRIx64 "; try --kvm=model", what,
             number, h->v->cpu.state.rip);
    return leave(e, EXIT_STOPPED);
}

static bool on_internal_error(struct host_vcpu *h, struct exit *e)
{
    if (h->run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
        return stopped(h, e, "internal error", h->run->internal.suberror);
    enum cpu_stop_kind stop = interpret_one(h);
    return stop == STOP_DEADLINE || stop == STOP_HLT || leave(e, exit_of_stop[stop]);
}

static bool on_fail_entry(struct host_vcpu *h, struct exit *e)
{
    return stopped(h, e, "VM entry failed, hardware reason", h->run->fail_entry.hardware_entry_failure_reason);
}

/* The guest has lowered its task priority (CR8): what waits may go in now. */
static bool on_set_tpr(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_OTHER);
    return true;
}

/* Split: the kernel's local APIC is done with an interrupt of our I/O APIC's. */
static bool on_ioapic_eoi(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_OTHER);
    apic_tell_eoi(h->v->vm->platform.apic, h->run->eoi.vector);
    return true;
}

/* One of the debugger's breakpoints, in a debug register. */
static bool on_debug(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_OTHER);
    host_pull(h);
    h->v->cpu.break_icount = 0; /* what ran since was not the interpreter */
    return cpu_check_break(&h->v->cpu) != STOP_BREAK || leave(e, EXIT_DEBUG);
}

static bool on_nothing(struct host_vcpu *h, struct exit *e)
{
    charge(h, EV_KVMHOST_OTHER);
    return true;
}

static bool handle(struct host_vcpu *h, struct exit *e)
{
    static bool (*const on[])(struct host_vcpu *, struct exit *) = {
        [KVM_EXIT_IO] = on_io, [KVM_EXIT_MMIO] = on_mmio, [KVM_EXIT_HLT] = on_hlt, [KVM_EXIT_IRQ_WINDOW_OPEN] = on_window,
        [KVM_EXIT_SHUTDOWN] = on_shutdown, [KVM_EXIT_FAIL_ENTRY] = on_fail_entry, [KVM_EXIT_INTERNAL_ERROR] = on_internal_error,
        [KVM_EXIT_INTR] = on_nothing, [KVM_EXIT_SET_TPR] = on_set_tpr, [KVM_EXIT_IOAPIC_EOI] = on_ioapic_eoi, [KVM_EXIT_DEBUG] = on_debug,
    };
    u32 reason = h->run->exit_reason;
    if (reason >= ARRAY_LEN(on) || !on[reason])
        return stopped(h, e, "exit reason", reason);
    return on[reason](h, e);
}

/* --- the loop --- */

/* Setting a timer is a system call, about as dear as a whole exit: once a slice, not once an exit. */
static void arm_until(struct host_vcpu *h, cycles_t deadline)
{
    struct clock *clock = h->v->cpu.clock;
    if (h->armed == deadline)
        return;
    arm(h, clock_cycles_to_ns(clock, deadline - clock->now) + 1);
    h->armed = deadline;
}

static void disarm(struct host_vcpu *h)
{
    if (h->armed)
        arm(h, 0);
    h->armed = 0;
}

/* Virtual time goes on by what the host measured since the last look, in the guest and in its devices. */
static void follow_host(struct host_vcpu *h)
{
    u64 now = pace_host_ns();
    ledger_guest(h->v->cpu.ledger, 0, clock_ns_to_cycles(h->v->cpu.clock, now - h->looked_ns));
    h->looked_ns = now;
}

static int enter(struct host_vcpu *h, cycles_t deadline)
{
    arm_until(h, deadline);
    h->unfinished = false;
    int r = ioctl(h->fd, KVM_RUN, 0), error = errno;
    if (r < 0)
        h->armed = 0; /* the timer may have gone off, and a little early */
    follow_host(h);
    __atomic_store_n(&h->run->immediate_exit, 0, __ATOMIC_RELAXED);
    errno = error;
    return r;
}

static bool must_return(struct host_vcpu *h, cycles_t deadline, struct exit *e)
{
    struct cpu *c = &h->v->cpu;
    bool halted = c->state.activity == CPU_HALTED && !vcpu_nmi_pending(h->v) && !(vcpu_intr_pending(h->v) && c->state.rflags & FLAG_IF);
    if (__atomic_load_n(&c->attention, __ATOMIC_RELAXED))
        leave(e, EXIT_KICKED);
    else if (c->state.activity == CPU_SHUT_DOWN)
        leave(e, EXIT_SHUTDOWN);
    else if (halted)
        leave(e, EXIT_HLT);
    else if (c->clock->now >= deadline)
        leave(e, EXIT_DEADLINE);
    else
        return false;
    return true;
}

static bool refresh_slots(struct host_vcpu *h, struct exit *e)
{
    struct error err;
    if (!h->vm->slots_stale)
        return true;
    host_set_zones(h->vm);
    if (host_set_slots(h->vm, &h->v->vm->map, &err) == 0)
        return true;
    snprintf(e->stopped.reason, sizeof e->stopped.reason, "%.200s", err.text);
    return leave(e, EXIT_STOPPED);
}

/* Breakpoints that the processor's debug registers do not hold, watchpoints and steps are the interpreter's business. So is the
 * instruction at a breakpoint that was reported just now. */
static bool debug_once(struct host_vcpu *h, struct exit *e)
{
    host_pull(h);
    enum cpu_stop_kind stop = cpu_check_break(&h->v->cpu);
    if (stop == STOP_DEADLINE)
        stop = interpret_one(h);
    return stop == STOP_DEADLINE || leave(e, exit_of_stop[stop]);
}

static bool stands_at_break(const struct host_vcpu *h)
{
    const struct cpu *c = &h->v->cpu;
    for (unsigned i = 0; !h->in_kernel && c->debug && i < c->debug->nbreak; i++)
        if (c->debug->brk[i] == cpu_linear_rip(c))
            return true;
    return false;
}

/* A guest that halts in the kernel with interrupts off waits there for ever: the run loop must know. */
static bool halted_in_kernel(struct host_vcpu *h)
{
    struct kvm_mp_state m;
    return h->vm->irqchip != IRQCHIP_OFF && !h->run->if_flag && ioctl(h->fd, KVM_GET_MP_STATE, &m) == 0 && m.mp_state == KVM_MP_STATE_HALTED;
}

static bool once(struct host_vcpu *h, cycles_t deadline, struct exit *e)
{
    if (!host_debug_by_hardware(h) || stands_at_break(h))
        return debug_once(h, e);
    if (!refresh_slots(h, e))
        return false;
    if (host_push(h) < 0)
        return stopped(h, e, "it does not take the processor's state, errno", errno);
    host_set_debug(h);
    prepare_interrupts(h);
    int r = enter(h, deadline), error = errno;
    host_flush_coalesced(h);
    if (host_bells_rung(h->vm))
        host_bells_serve(h->vm);
    if (r == 0)
        return handle(h, e);
    charge(h, EV_KVMHOST_SIGNAL);
    if (halted_in_kernel(h))
        host_pull(h);
    return error == EINTR || error == EAGAIN || stopped(h, e, "errno", error);
}

void host_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct host_vcpu *h = v->engine_data;
    h->looked_ns = pace_host_ns();
    host_bells_run(h->vm, h);
    while (!must_return(h, deadline, e) && once(h, deadline, e))
        ;
    disarm(h);
    host_bells_run(h->vm, NULL);
    if (e->kind == EXIT_KICKED)
        __atomic_store_n(&v->cpu.attention, 0, __ATOMIC_RELAXED);
}

void host_step(struct vcpu *v, struct exit *e)
{
    enum cpu_stop_kind stop = interpret_one(v->engine_data);
    e->kind = stop == STOP_DEADLINE ? EXIT_DEBUG : exit_of_stop[stop];
}
