/* SPDX-License-Identifier: MIT */
/*
 * The one run loop, the same for every engine: fire what is due, let the engine run the guest up to the next deadline, and
 * handle why it came back by a table. Limits and input from outside are looked at between slices.
 */
#include "machine/vm.h"

#include <inttypes.h>
#include <string.h>

#include "devices/serial/chardev.h"
#include "machine/outside.h"
#include "machine/smp.h"

#define SLICE ((cycles_t)1 << 22)       /* the longest run without a look at input and limits, cycles */
#define INPUT_FDS 320
#define LONGEST_WAIT_NS 20000000u       /* of an idle guest, before signals and limits are looked at again */

const struct exit_row exit_rows[EXIT_KIND_COUNT] = {
#define EXIT(id, name, help) [EXIT_##id] = { name, help },
#include "machine/exits.def"
#undef EXIT
};

static cycles_t min_cycles(cycles_t a, cycles_t b) { return a < b ? a : b; }

/* The cycle at which --max-cycles ends the run. */
static cycles_t limit(const struct vm *vm) { return vm->config.max_cycles ? vm->config.max_cycles : CLOCK_NEVER; }

const char *vm_describe_place(struct vm *vm, char *buf, size_t size)
{
    struct cpu_state s;
    vm->engine->get_state(vm_current(vm), &s);
    snprintf(buf, size, "ring %u, %04x:%08" PRIx64 "%s", state_cpl(&s), s.seg[CS].selector, s.rip,
             s.activity == CPU_HALTED ? ", halted" : "");
    return buf;
}

/* --- why the engine came back --- */

static void on_nothing(struct vm *vm, struct exit *e) {}

static void on_io(struct vm *vm, struct exit *e)
{
    for (u32 i = 0; i < e->io.count && vm->status == VM_RUNNING; i++) {
        u8 *item = e->io.data + i * e->io.size;
        u64 value = 0;
        if (e->io.write) {
            memcpy(&value, item, e->io.size);
            vm_io_write(vm, e->io.port, e->io.size, value);
        } else {
            value = vm_io_read(vm, e->io.port, e->io.size);
            memcpy(item, &value, e->io.size);
        }
    }
}

static void on_mmio(struct vm *vm, struct exit *e)
{
    if (e->mmio.write)
        physmap_write(&vm->map, e->mmio.gpa, e->mmio.data, e->mmio.size);
    else
        physmap_read(&vm->map, e->mmio.gpa, e->mmio.data, e->mmio.size);
}

/* Descriptors that bring the guest input; how many. */
static unsigned input_fds(struct vm *vm, struct pollfd fds[INPUT_FDS])
{
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(vm->config.serial); i++) {
        const struct chardev *c = vm->config.serial[i];
        if (c && c->poll && c->fd >= 0)
            fds[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
    }
    return n + outside_fds(vm, fds + n, INPUT_FDS - n);
}

/* A halted processor that takes no interrupts, or to whom none will come, stays halted for ever. */
static bool halted_for_good(struct vm *vm, unsigned inputs)
{
    struct cpu_state s;
    char place[80];
    vm->engine->get_state(vm_current(vm), &s);
    if (vm->nvcpus > 1 ? smp_dead(vm) : !(s.rflags & FLAG_IF))
        vm_stop(vm, STATUS_STOPPED, "the guest halted with interrupts disabled: nothing can wake it (%s)", vm_describe_place(vm, place, sizeof place));
    else if (clock_deadline(&vm->clock) == CLOCK_NEVER && !inputs && !vm->config.pump && !vcpu_intr_pending(vm_current(vm)))
        vm_stop(vm, STATUS_STOPPED, "the guest halted, and no timer or input will ever wake it (%s)", vm_describe_place(vm, place, sizeof place));
    return vm->status == VM_ENDED;
}

/* Whoever waits for somebody outside waits in the host's time, however much faster or slower the guest was before; but for the
 * fractions of a millisecond of an adapter's timers nobody goes to sleep. */
static bool must_wait(struct vm *vm, cycles_t until)
{
    bool outside = outside_waits(vm);
    if (outside && !vm->config.realtime)
        pace_keep_close(&vm->pace, &vm->clock);
    if (outside && pace_may_jump(&vm->pace, &vm->clock, until))
        return false;
    return outside || vm->config.realtime || until == CLOCK_NEVER;
}

/* Between machines that take turns: the others may have something to do, which this one waits for. */
static void give_way(struct vm *vm)
{
    vm->waits = true;
    vm_pause(vm);
}

/* Idle: virtual time goes on to the next timer; at once, or as the host's clock does. */
static void idle(struct vm *vm)
{
    struct pollfd fds[INPUT_FDS];
    unsigned inputs = input_fds(vm, fds);
    if (halted_for_good(vm, inputs))
        return;
    cycles_t until = min_cycles(clock_deadline(&vm->clock), limit(vm));
    if (vm->gives_way && until > vm->clock.now)
        give_way(vm);
    else if (must_wait(vm, until))
        pace_wait(&vm->pace, &vm->clock, until, LONGEST_WAIT_NS, fds, inputs);
    else if (until > vm->clock.now)
        clock_advance(&vm->clock, until - vm->clock.now);
}

/* Others may have something to do. */
static void on_hlt(struct vm *vm, struct exit *e)
{
    struct vcpu *v = vm_current(vm);
    smp_halted(v);
    if (vm->nvcpus == 1 && !vcpu_nmi_pending(v) && !vcpu_intr_pending(v))
        idle(vm);
}

static void on_shutdown(struct vm *vm, struct exit *e)
{
    struct vcpu *v = vm_current(vm);
    char report[sizeof vm->reason - 64];
    vm->engine->get_state(v, &v->cpu.state);
    cpu_report(&v->cpu, report, sizeof report);
    vm_stop(vm, STATUS_STOPPED, "triple fault: the guest's processor shut down\n%s", report);
}

static void on_debug(struct vm *vm, struct exit *e) { vm->status = VM_PAUSED; }
static void on_poweroff(struct vm *vm, struct exit *e) { vm_stop(vm, STATUS_POWEROFF, "the guest turned the machine off"); }
static void on_reset(struct vm *vm, struct exit *e) { vm->reset_requested = true; }
static void on_stopped(struct vm *vm, struct exit *e) { vm_stop(vm, STATUS_STOPPED, "%s", e->stopped.reason); }

static void (*const handler[EXIT_KIND_COUNT])(struct vm *vm, struct exit *e) = {
    [EXIT_DEADLINE] = on_nothing, [EXIT_KICKED] = on_nothing,     [EXIT_IO] = on_io,       [EXIT_MMIO] = on_mmio,   [EXIT_HLT] = on_hlt,
    [EXIT_SHUTDOWN] = on_shutdown, [EXIT_DEBUG] = on_debug, [EXIT_POWEROFF] = on_poweroff, [EXIT_RESET] = on_reset, [EXIT_STOPPED] = on_stopped,
};

/* --- between slices --- */

static void poll_input(struct vm *vm)
{
    for (unsigned i = 0; i < ARRAY_LEN(vm->config.serial); i++)
        chardev_poll(vm->config.serial[i]);
    chardev_poll(vm->config.virtconsole);
    for (unsigned i = 0; i < vm->config.nvirtports; i++)
        chardev_poll(vm->config.virtport[i].line);
    outside_poll(vm);
    if (vm->config.pump)
        vm->config.pump(vm, vm->config.pump_opaque);
}

static void check_limits(struct vm *vm)
{
    char place[80];
    if (vm->interrupt)
        vm_stop(vm, STATUS_STOPPED, "interrupted by signal %d (%s)", (int)vm->interrupt, vm_describe_place(vm, place, sizeof place));
    else if (vm->clock.now >= limit(vm))
        vm_stop(vm, STATUS_LIMIT, "--max-cycles=%" PRIu64 " is reached; the guest was at %s", vm->config.max_cycles,
                vm_describe_place(vm, place, sizeof place));
    else if (vm->config.max_seconds > 0 && (vm->wall_ns + pace_host_ns() - vm->started_ns) / 1e9 >= vm->config.max_seconds)
        vm_stop(vm, STATUS_LIMIT, "--max-seconds=%g is reached; the guest was at %s", vm->config.max_seconds,
                vm_describe_place(vm, place, sizeof place));
}

static void reboot(struct vm *vm)
{
    if (vm->config.no_reboot)
        vm_stop(vm, STATUS_POWEROFF, "the guest reset its machine (-no-reboot)");
    else
        vm_reset(vm);
}

static void count_exit(struct vm *vm, const struct exit *e)
{
    unsigned slot = vm->exits_total++ % VM_RECENT_EXITS;
    vm->exits[e->kind]++;
    vm->recent_exit[slot].kind = e->kind;
    vm->recent_exit[slot].when = vm->clock.now;
    trace(&vm->tracer, EXIT, "kind=%s now=0x%" PRIx64, exit_rows[e->kind].name, vm->clock.now);
}

static void run_guest(struct vm *vm)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    struct vcpu *v = smp_next(vm);
    if (!v) {
        idle(vm);
        return;
    }
    cycles_t deadline = min_cycles(min_cycles(clock_deadline(&vm->clock), vm->clock.now + SLICE), min_cycles(limit(vm), smp_begin_turn(v)));
    vm->in_guest = true;
    vm->engine->run(v, deadline, &e);
    vm->in_guest = false;
    count_exit(vm, &e);
    if (vm->status == VM_RUNNING)
        handler[e.kind](vm, &e);
}

/* --- one instruction at a time, for a debugger --- */

#define STEP_ITERATIONS 4096    /* of a string instruction, before input is looked at */

/* A halted processor whose interrupts are held is woken by one that waits, and goes on behind its HLT. False: nothing wakes it yet. */
static bool wake(struct vm *vm, struct cpu_state *s)
{
    struct vcpu *v = vm_current(vm);
    if (s->activity != CPU_HALTED)
        return s->activity == CPU_ACTIVE;
    if (!v->intr || !(s->rflags & FLAG_IF))
        return false;
    if (vm->gait == GAIT_STEP_HELD) {
        s->activity = CPU_ACTIVE;
        vm->engine->set_state(v, s);
    }
    return true;
}

/* The instruction at rip has neither retired nor faulted: a string instruction is between two iterations. */
static bool within_instruction(struct vm *vm, u64 icount, u64 rip)
{
    const struct cpu *c = &vm_current(vm)->cpu;
    bool watched = c->debug && c->debug->hit_watch >= 0;
    return !watched && c->icount == icount && c->state.rip == rip;
}

static void step_instruction(struct vm *vm, u64 icount, u64 rip, struct exit *e)
{
    struct vcpu *v = vm_current(vm);
    v->intr_held = vm->gait == GAIT_STEP_HELD;
    vm->in_guest = true;
    for (unsigned i = 0; i < STEP_ITERATIONS && vm->status == VM_RUNNING; i++) {
        vm->engine->step(v, e);
        if (e->kind != EXIT_DEBUG || !within_instruction(vm, icount, rip))
            break;
    }
    vm->in_guest = false;
    v->intr_held = false;
}

static void step_guest(struct vm *vm)
{
    struct exit e = { .kind = EXIT_HLT };
    struct cpu_state s;
    u64 icount = vm_current(vm)->cpu.icount;
    vm->engine->get_state(vm_current(vm), &s);
    bool awake = wake(vm, &s);
    if (awake)
        step_instruction(vm, icount, s.rip, &e);
    bool done = awake && (e.kind == EXIT_DEBUG || e.kind == EXIT_HLT) && !within_instruction(vm, icount, s.rip);
    count_exit(vm, &e);
    if (done)
        vm_pause(vm);
    else if (vm->status == VM_RUNNING && e.kind != EXIT_DEBUG)
        handler[e.kind](vm, &e);
}

void vm_pause(struct vm *vm)
{
    if (vm->status == VM_RUNNING)
        vm->status = VM_PAUSED;
}

void vm_resume(struct vm *vm, enum vm_gait gait)
{
    vm->gait = gait;
    if (vm->status == VM_PAUSED)
        vm->status = VM_RUNNING;
}

int vm_run(struct vm *vm)
{
    vm->started_ns = pace_host_ns();
    vm->waits = false;
    pace_start(&vm->pace, &vm->clock);
    while (vm->status == VM_RUNNING) {
        clock_run_due(&vm->clock);
        smp_take_signals(vm);
        poll_input(vm);
        check_limits(vm);
        if (vm->status != VM_RUNNING)
            break;
        if (vm->reset_requested)
            reboot(vm);
        else if (vm->gait != GAIT_RUN)
            step_guest(vm);
        else
            run_guest(vm);
    }
    vm->wall_ns += pace_host_ns() - vm->started_ns;
    return vm->exit_status;
}
