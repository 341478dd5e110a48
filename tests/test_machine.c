/* SPDX-License-Identifier: MIT */
/* The machine around the processor: the run loop with a scripted engine, then guests on each engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli/engines.h"
#include "machine/vm.h"

#define MIB (1u << 20)

static char kernel[] = "/tmp/emu-test-XXXXXX";

static struct vm *new_vm(const struct vm_config *c)
{
    struct error err = { "" };
    struct vm *vm = vm_new(c, &err);
    if (!vm)
        FAIL("no vm: %s", err.text);
    return vm;
}

/* --- the run loop, with an engine that does what the test says --- */

struct script {
    void (*run)(struct vcpu *v, cycles_t deadline, struct exit *e);
    unsigned runs, kicks;
    cycles_t deadline, fired_at;
    struct timer timer;
};
static struct script *script_of(struct vm *vm) { return vm->config.pump_opaque; }
static void no_pump(struct vm *vm, void *opaque) {}

static int fake_vm_init(struct vm *vm, struct error *err) { return 0; }
static void fake_vm_fini(struct vm *vm) {}
static int fake_vcpu_init(struct vcpu *v, struct error *err) { return 0; }
static void fake_vcpu_fini(struct vcpu *v) {}
static void fake_run(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct script *s = script_of(v->vm);
    s->runs++;
    s->deadline = deadline;
    s->run(v, deadline, e);
}
static void fake_kick(struct vcpu *v) { script_of(v->vm)->kicks++; }
static void fake_get_state(struct vcpu *v, struct cpu_state *s) { *s = v->cpu.state; }
static void fake_set_state(struct vcpu *v, const struct cpu_state *s) { v->cpu.state = *s; }
static const struct engine_ops fake_engine = {
    .name = "fake", .help = "", .image = "native", .vm_init = fake_vm_init, .vm_fini = fake_vm_fini, .vcpu_init = fake_vcpu_init,
    .vcpu_fini = fake_vcpu_fini, .run = fake_run, .kick = fake_kick, .get_state = fake_get_state, .set_state = fake_set_state,
};

static struct vm_config fake_config(struct script *s)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = &fake_engine;
    c.ram_size = 2 * MIB;
    c.pump = no_pump;
    c.pump_opaque = s;
    return c;
}

static struct vm *run_script(struct script *s, void (*change)(struct vm_config *c))
{
    struct vm_config c = fake_config(s);
    if (change)
        change(&c);
    struct vm *vm = new_vm(&c);
    if (vm)
        vm_run(vm);
    return vm;
}

static void run_io_string(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    static u8 values[] = { 0x11, 0x22 };
    e->kind = EXIT_IO;
    e->io.port = 0xf4;
    e->io.size = 1;
    e->io.write = true;
    e->io.count = 2;
    e->io.data = values;
}

/* The first of two OUTs ends the run: the second must not change the status. */
static void test_io_exit_stops_at_once(void)
{
    struct script s = { run_io_string };
    struct vm *vm = run_script(&s, NULL);
    CHECK_EQ(vm->exit_status, 0x11 << 1 | 1);
    CHECK_EQ(s.runs, 1);
    CHECK_EQ(vm->exits[EXIT_IO], 1);
    vm_free(vm);
}

static u8 item[4];
static void run_reads(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    if (script_of(v->vm)->runs == 1) {
        memset(item, 0, sizeof item);
        e->kind = EXIT_IO;
        e->io.port = 0x7777;
        e->io.size = 2;
        e->io.write = false;
        e->io.count = 2;
        e->io.data = item;
    } else if (script_of(v->vm)->runs == 2) {
        CHECK_EQ(item[0] & item[1] & item[2] & item[3], 0xff);
        physmap_store(&v->vm->map, 0x100ffe, 4, 0xaabbccdd);
        e->kind = EXIT_MMIO;
        e->mmio.gpa = 0x100ffe;
        e->mmio.size = 4;
        e->mmio.write = false;
        e->mmio.data = item;
    } else {
        CHECK_EQ(item[0], 0xdd);
        CHECK_EQ(item[3], 0xaa);
        e->kind = EXIT_POWEROFF;
    }
}

static void test_read_exits(void)
{
    struct script s = { run_reads };
    struct vm *vm = run_script(&s, NULL);
    CHECK_EQ(vm->exit_status, STATUS_POWEROFF);
    CHECK_EQ(s.runs, 3);
    CHECK_EQ(vm->bus.unclaimed_reads, 2);
    vm_free(vm);
}

static void fire(void *opaque, cycles_t when) { ((struct script *)opaque)->fired_at = when; }

static void run_until_deadline(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct script *s = script_of(v->vm);
    s->timer.fire = fire;
    s->timer.opaque = s;
    if (s->runs == 1) {
        timer_set(&v->vm->clock, &s->timer, 12345);
        CHECK_EQ(s->kicks, 1); /* it is earlier than the deadline that this run was given */
        e->kind = EXIT_KICKED;
    } else if (s->runs == 2) {
        CHECK_EQ(deadline, 12345);
        clock_advance(&v->vm->clock, deadline);
        e->kind = EXIT_DEADLINE;
    } else {
        CHECK_EQ(s->fired_at, 12345);
        e->kind = EXIT_POWEROFF;
    }
}

static void test_deadline_moves_while_running(void)
{
    struct script s = { run_until_deadline };
    struct vm *vm = run_script(&s, NULL);
    CHECK_EQ(s.runs, 3);
    CHECK_EQ(vm->exits[EXIT_KICKED], 1);
    vm_free(vm);
}

static void run_halted(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct script *s = script_of(v->vm);
    v->cpu.state.rflags |= FLAG_IF;
    s->timer.fire = fire;
    s->timer.opaque = s;
    if (s->runs == 1)
        timer_set(&v->vm->clock, &s->timer, 777777777777);
    e->kind = s->fired_at ? EXIT_POWEROFF : EXIT_HLT;
}

/* Idle time is skipped, however long: the timer fires at its cycle, after one exit. */
static void test_idle_jumps_to_timer(void)
{
    struct script s = { run_halted };
    struct vm *vm = run_script(&s, NULL);
    CHECK_EQ(s.fired_at, 777777777777);
    CHECK_EQ(vm->clock.now, 777777777777);
    CHECK_EQ(s.runs, 2);
    CHECK_EQ(vm->ledger.guest_cycles, 0);
    vm_free(vm);
}

static void limit_cycles(struct vm_config *c) { c->max_cycles = 1000; }
static void test_idle_ends_at_limit(void)
{
    struct script s = { run_halted };
    struct vm *vm = run_script(&s, limit_cycles);
    CHECK_EQ(vm->exit_status, STATUS_LIMIT);
    CHECK_EQ(vm->clock.now, 1000);
    CHECK_EQ(s.fired_at, 0);
    vm_free(vm);
}

static void limit_seconds(struct vm_config *c) { c->max_seconds = 0.01; }
static void run_nothing(struct vcpu *v, cycles_t deadline, struct exit *e) { e->kind = EXIT_DEADLINE; }
static void test_max_seconds(void)
{
    struct script s = { run_nothing };
    struct vm *vm = run_script(&s, limit_seconds);
    CHECK_EQ(vm->exit_status, STATUS_LIMIT);
    CHECK_CONTAINS(vm->reason, "--max-seconds=0.01");
    CHECK(vm->wall_ns >= 10000000 && vm->wall_ns < 5000000000);
    vm_free(vm);
}

static void set_realtime(struct vm_config *c) { c->realtime = true; }
static void run_short_wait(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    struct script *s = script_of(v->vm);
    v->cpu.state.rflags |= FLAG_IF;
    s->timer.fire = fire;
    s->timer.opaque = s;
    if (s->runs == 1)
        timer_set(&v->vm->clock, &s->timer, clock_ns_to_cycles(&v->vm->clock, 30000000));
    e->kind = s->fired_at ? EXIT_POWEROFF : EXIT_HLT;
}

/* With the host's clock, 30 ms of idling take 30 ms. */
static void test_idle_waits_in_real_time(void)
{
    struct script s = { run_short_wait };
    struct vm *vm = run_script(&s, set_realtime);
    CHECK(vm->wall_ns >= 30000000);
    CHECK_EQ(s.fired_at, clock_ns_to_cycles(&vm->clock, 30000000));
    vm_free(vm);
}

static void run_stopped(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    e->kind = EXIT_STOPPED;
    snprintf(e->stopped.reason, sizeof e->stopped.reason, "no way on");
}
static void test_stopped(void)
{
    struct script s = { run_stopped };
    struct vm *vm = run_script(&s, NULL);
    CHECK_EQ(vm->exit_status, STATUS_STOPPED);
    CHECK_STR(vm->reason, "no way on");
    vm_free(vm);
}

static void run_interrupted(struct vcpu *v, cycles_t deadline, struct exit *e)
{
    vm_interrupt(v->vm, SIGTERM);
    CHECK_EQ(script_of(v->vm)->kicks, 1);
    e->kind = EXIT_KICKED;
}
static void test_interrupt(void)
{
    struct script s = { run_interrupted };
    struct vm *vm = run_script(&s, NULL);
    CHECK_EQ(vm->exit_status, STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "signal 15");
    CHECK_EQ(s.runs, 1);
    vm_free(vm);
}

static void test_first_stop_wins(void)
{
    struct script s = { run_stopped };
    struct vm_config c = fake_config(&s);
    struct vm *vm = new_vm(&c);
    vm_stop(vm, STATUS_LIMIT, "first");
    vm_stop(vm, STATUS_POWEROFF, "second");
    CHECK_EQ(vm_run(vm), STATUS_LIMIT);
    CHECK_STR(vm->reason, "first");
    CHECK_EQ(s.runs, 0);
    vm_free(vm);
}

static void test_bad_configs(void)
{
    static const struct { u64 ram; const char *profile, *cpu, *says; } bad[] = {
        { 0, "curriculum", "core2", "at least 1 MiB" },
        { MIB - 4096, "curriculum", "core2", "at least 1 MiB" },
        { 2 * MIB + 512, "curriculum", "core2", "4 KiB" },
        { (u64)3 << 30, "curriculum", "core3", "core3" },
        { ((u64)3 << 30) + MIB, "curriculum", "core2", "-m 3072" },
        { MIB, "no-such", "core2", "no-such" },
        { MIB, "curriculum", "no-such", "emu list cpus" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct script s = { run_stopped };
        struct vm_config c = fake_config(&s);
        struct error err = { "" };
        c.ram_size = bad[i].ram;
        c.profile = bad[i].profile;
        c.cpu_model = bad[i].cpu;
        check_context("%s", bad[i].says);
        CHECK(!vm_new(&c, &err));
        CHECK_CONTAINS(err.text, bad[i].says);
    }
}

static void test_memory_layout(void)
{
    struct script s = { run_stopped };
    struct vm_config c = fake_config(&s);
    struct vm *vm = new_vm(&c);
    CHECK(physmap_ptr(&vm->map, 0, 0xa0000) != NULL);
    CHECK(physmap_ptr(&vm->map, 0x9ffff, 2) == NULL);
    CHECK(physmap_ptr(&vm->map, 0xc0000, 0x40000) != NULL);
    CHECK(physmap_ptr(&vm->map, MIB, MIB) != NULL);
    CHECK(physmap_ptr(&vm->map, 2 * MIB - 1, 2) == NULL);
    CHECK_EQ(physmap_load(&vm->map, 0x40000000, 4), 0xffffffff);
    vm_free(vm);
}

/* --- guests, on every engine that takes native ones --- */

/* 32-bit guest code, loaded flat and entered at 1 MiB. AT(label) is a label's address in the guest. */
#define GUEST(name, code) \
    asm(".pushsection .rodata\n.code32\n" #name ":\n.set origin, " #name "\n" code "\n" #name "_end:\n.code64\n.popsection\n"); \
    extern const u8 name[], name##_end[]
#define AT(label) "(" label " - origin + 0x100000)"

GUEST(guest_exit, "mov $0x21, %al; out %al, $0xf4; movb $1, 0x180000; 1: jmp 1b");
GUEST(guest_poweroff, "mov $0x604, %dx; mov $0x2000, %ax; out %ax, %dx; movb $1, 0x180000; 1: jmp 1b");
GUEST(guest_loop, "1: jmp 1b");
GUEST(guest_dead_halt, "cli; hlt");
GUEST(guest_forgotten_halt, "sti; 1: hlt; jmp 1b");
GUEST(guest_triple, "lidt " AT("2f") "; movl $0, 0x40000000; int3; 2: .long 0, 0");
GUEST(guest_reboots, "incl 0x180000; cmpl $3, 0x180000; jne 1f; mov $5, %al; out %al, $0xf4; 1: mov $3, %al; out %al, $0x92; movb $1, 0x180004; 2: jmp 2b");
GUEST(guest_unclaimed, "mov $0x1234, %dx; in %dx, %al; movb $1, 0x180000; out %al, $0xf4; 1: jmp 1b");
/* Descriptor tables, the PIC (vectors 20h on), the PIT (an interrupt every 1000 ticks, to 5:), EBX = 0, interrupts on. */
#define START_TIMER \
      "lgdt " AT("7f") "; lidt " AT("9f") "; ljmp $8, $" AT("1f") "; 1: " \
      "mov $0x11, %al; out %al, $0x20; mov $0x20, %al; out %al, $0x21; mov $4, %al; out %al, $0x21; mov $1, %al; out %al, $0x21; mov $0xfe, %al; out %al, $0x21;" \
      "mov $0x34, %al; out %al, $0x43; mov $0xe8, %al; out %al, $0x40; mov $3, %al; out %al, $0x40; xor %ebx, %ebx; sti;"
#define TIMER_TABLES \
      ".balign 8; 6: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff; 7: .word 23; .long " AT("6b") ";" \
      "8: .fill 32, 8, 0; .word " AT("5b") " - 0x100000, 8, 0x8e00, 0x10; 9: .word 33 * 8 - 1; .long " AT("8b")
/* Count five interrupts while halted, then leave with the count. */
GUEST(guest_timer,
      START_TIMER "2: hlt; cmp $5, %ebx; jb 2b; mov %bl, %al; out %al, $0xf4;"
      "5: inc %ebx; mov $0x20, %al; out %al, $0x20; iret;" TIMER_TABLES);
/* The same, counting how often a loop went round between the last two of them: how a kernel measures its processor. */
GUEST(guest_busy_timer,
      START_TIMER "2: inc %ecx; cmp $5, %ebx; jb 2b; mov %edx, 0x180000; mov %bl, %al; out %al, $0xf4;"
      "5: inc %ebx; mov %ecx, %edx; xor %ecx, %ecx; mov $0x20, %al; out %al, $0x20; iret;" TIMER_TABLES);

/* The engine that the guests run on: each test is run on all that take native guests. */
static const struct engine_ops *engine;

static struct vm_config guest_config(void)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = engine;
    c.kvm = "model";
    c.ram_size = 2 * MIB;
    c.max_cycles = 100000000;
    c.kernel = kernel;
    return c;
}

static struct vm *run_guest(const u8 *code, const u8 *end, const struct vm_config *c)
{
    FILE *f = fopen(kernel, "wb");
    fwrite(code, 1, end - code, f);
    fclose(f);
    struct vm *vm = new_vm(c);
    vm_run(vm);
    return vm;
}
#define RUN(name, config) run_guest(name, name##_end, config)

static u64 guest_rip(struct vm *vm)
{
    struct cpu_state s;
    vm->engine->get_state(vm->vcpu[0], &s);
    return s.rip;
}

/* A VM that stops at an OUT stops there: the next instruction has not run. */
static void test_debug_exit(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_exit, &c);
    CHECK_EQ(vm->exit_status, 0x21 << 1 | 1);
    CHECK_EQ(physmap_load(&vm->map, 0x180000, 1), 0);
    CHECK_EQ(guest_rip(vm), 0x100004);
    CHECK_EQ(vm->ledger.guest_insns, 2);
    vm_free(vm);
}

static void test_poweroff(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_poweroff, &c);
    CHECK_EQ(vm->exit_status, STATUS_POWEROFF);
    CHECK_CONTAINS(vm->reason, "turned the machine off");
    CHECK_EQ(physmap_load(&vm->map, 0x180000, 1), 0);
    vm_free(vm);
}

static void test_endless_loop(void)
{
    struct vm_config c = guest_config();
    c.max_cycles = 5000000;
    struct vm *vm = RUN(guest_loop, &c);
    CHECK_EQ(vm->exit_status, STATUS_LIMIT);
    CHECK_CONTAINS(vm->reason, "--max-cycles=5000000 is reached; the guest was at ring 0, 0008:00100000");
    CHECK(vm->clock.now >= 5000000 && vm->clock.now < 5000100);
    vm_free(vm);
}

static void test_halts_for_good(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_dead_halt, &c);
    CHECK_EQ(vm->exit_status, STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "interrupts disabled");
    vm_free(vm);
    vm = RUN(guest_forgotten_halt, &c);
    CHECK(vm->exit_status == STATUS_STOPPED || vm->exit_status == STATUS_LIMIT); /* LIMIT: a device's timer runs without wanting an interrupt */
    vm_free(vm);
}

static void test_triple_fault(void)
{
    struct vm_config c = guest_config();
    for (int no_reboot = 0; no_reboot < 2; no_reboot++) {
        c.no_reboot = no_reboot;
        struct vm *vm = RUN(guest_triple, &c);
        CHECK_EQ(vm->exit_status, STATUS_STOPPED);
        CHECK_CONTAINS(vm->reason, "triple fault");
        CHECK_CONTAINS(vm->reason, "code at");
        CHECK_CONTAINS(vm->reason, "exception 8 #DF");
        vm_free(vm);
    }
}

static void test_reset_reloads(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_reboots, &c);
    CHECK_EQ(vm->exit_status, 5 << 1 | 1);
    CHECK_EQ(physmap_load(&vm->map, 0x180004, 1), 0); /* the reset comes at the very instruction */
    vm_free(vm);
    c.no_reboot = true;
    vm = RUN(guest_reboots, &c);
    CHECK_EQ(vm->exit_status, STATUS_POWEROFF);
    CHECK_EQ(physmap_load(&vm->map, 0x180000, 1), 1);
    vm_free(vm);
}

static void test_strict_io(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_unclaimed, &c);
    CHECK_EQ(vm->exit_status, 0xff);
    CHECK_EQ(vm->bus.unclaimed_reads, 1);
    vm_free(vm);
    c.strict_io = true;
    vm = RUN(guest_unclaimed, &c);
    CHECK_EQ(vm->exit_status, STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "0x1234");
    CHECK_EQ(physmap_load(&vm->map, 0x180000, 1), 0);
    vm_free(vm);
}

static void test_timer_interrupts(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_timer, &c);
    CHECK_EQ(vm->exit_status, 5 << 1 | 1);
    u64 ns = clock_cycles_to_ns(&vm->clock, vm->clock.now);
    CHECK(ns > 4 * 838000 && ns < 5 * 840000); /* 1000 ticks of 1.193182 MHz are 838 us; setting the mode may be an edge of its own */
    vm_free(vm);
}

/* An interrupt reaches busy code when it is due, not when that happens to be looked at: 838 us are 1,676,191 cycles at 2 GHz,
 * and a round is three instructions of a cycle each. */
static void test_interrupts_come_in_time(void)
{
    struct vm_config c = guest_config();
    struct vm *vm = RUN(guest_busy_timer, &c);
    CHECK_EQ(vm->exit_status, 5 << 1 | 1);
    u64 cycles = clock_ticks_to_cycles(&vm->clock, 1000, 1193182), rounds = physmap_load(&vm->map, 0x180000, 4);
    check_context("engine %s, %llu rounds", engine->name, (unsigned long long)rounds);
    CHECK(rounds > cycles / 3 * 0.98 && rounds < cycles / 3 * 1.02);
    vm_free(vm);
}

/* The same guest, the same counts: bit for bit. */
static void test_deterministic(void)
{
    struct vm_config c = guest_config();
    struct vm *a = RUN(guest_timer, &c), *b = RUN(guest_timer, &c);
    CHECK_EQ(a->clock.now, b->clock.now);
    CHECK_EQ(a->ledger.guest_insns, b->ledger.guest_insns);
    CHECK_EQ(a->exits_total, b->exits_total);
    vm_free(a);
    vm_free(b);
}

static void on_engine(const struct engine_ops *e, void (*test)(void))
{
    char detail[160];
    if (strcmp(e->image, "native") || e->probe(detail, sizeof detail, NULL))
        return;
    engine = e;
    check_context("engine %s", e->name);
    test();
}

static void on_each_engine(void (*test)(void))
{
    for (const struct engine_ops *const *e = engines; *e; e++)
        on_engine(*e, test);
}

#define EACH(test) static void each_##test(void) { on_each_engine(test_##test); }
EACH(debug_exit)
EACH(poweroff)
EACH(endless_loop)
EACH(halts_for_good)
EACH(triple_fault)
EACH(reset_reloads)
EACH(strict_io)
EACH(timer_interrupts)
EACH(interrupts_come_in_time)
EACH(deterministic)

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "io_exit_stops_at_once", test_io_exit_stops_at_once },
        { "read_exits", test_read_exits },
        { "deadline_moves_while_running", test_deadline_moves_while_running },
        { "idle_jumps_to_timer", test_idle_jumps_to_timer },
        { "idle_ends_at_limit", test_idle_ends_at_limit },
        { "max_seconds", test_max_seconds },
        { "idle_waits_in_real_time", test_idle_waits_in_real_time },
        { "stopped", test_stopped },
        { "interrupt", test_interrupt },
        { "first_stop_wins", test_first_stop_wins },
        { "bad_configs", test_bad_configs },
        { "memory_layout", test_memory_layout },
        { "debug_exit", each_debug_exit },
        { "poweroff", each_poweroff },
        { "endless_loop", each_endless_loop },
        { "halts_for_good", each_halts_for_good },
        { "triple_fault", each_triple_fault },
        { "reset_reloads", each_reset_reloads },
        { "strict_io", each_strict_io },
        { "timer_interrupts", each_timer_interrupts },
        { "interrupts_come_in_time", each_interrupts_come_in_time },
        { "deterministic", each_deterministic },
        { NULL, NULL },
    };
    int fd = mkstemp(kernel);
    if (fd < 0)
        return 1;
    close(fd);
    int status = check_main(argc, argv, "machine", tests);
    unlink(kernel);
    return status;
}
