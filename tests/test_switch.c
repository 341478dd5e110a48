/* SPDX-License-Identifier: MIT */
/*
 * A machine that changes its engine under a running guest ends as one that never did: random programs cut at random places, the small
 * guests, Linux. Where the host's KVM can run what is tested, it takes its turns too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bt/bt.h"
#include "check.h"
#include "cli/options/switches.h"
#include "devices/serial/chardev.h"
#include "hwassist/host/host.h"
#include "lockstep.h"
#include "machine/bare.h"

static struct error err;

static const char *const names[] = { "interpreter", "bt", "kvm-model", "bare" };

static bool switch_to(struct vm *vm, const char *name)
{
    struct engine_choice c;
    if (switch_by_name(vm, name, &c, &err) || vm_switch_engine(vm, &c, &err)) {
        FAIL("%s: %s", name, err.text);
        return false;
    }
    return true;
}

/* --- names --- */

static void test_names(void)
{
    struct engine_choice c;
    struct switches s = { 0 };
    CHECK_EQ(switch_by_name(NULL, "kvm-model", &c, &err), 0);
    CHECK_STR(c.ops->name, "kvm");
    CHECK_STR(c.kvm, "model");
    CHECK_EQ(switch_by_name(NULL, "interpreter", &c, &err), 0);
    CHECK(c.ops == &bare_engine && !c.accel);
    CHECK_EQ(switch_by_name(NULL, "bart", &c, &err), -1);
    CHECK_CONTAINS(err.text, "did you mean");
    static const char *const wrong[] = { "", "bt", "5", "5:", "5s", "1.5:bt", "x:bt", "5s:bart", "-1:bt", "1s:pv" };
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        check_context("%s", wrong[i]);
        CHECK_EQ(switches_add(&s, wrong[i], &err), -1);
        CHECK(err.text[0]);
    }
    for (unsigned i = 0; i < MAX_SWITCHES; i++)
        CHECK_EQ(switches_add(&s, i % 2 ? "1.5s:bt" : "77:kvm-host", &err), 0);
    CHECK_EQ(switches_add(&s, "1:bt", &err), -1);
    CHECK(s.at[0].cycles == 77 && s.at[1].seconds == 1.5);
}

/* A monitor has costs of its own; behind it an instruction costs what it did. */
static void test_costs(void)
{
    struct vm *never = lockstep_machine(&bare_engine, false), *back = lockstep_machine(&bare_engine, false);
    for (unsigned i = 1; i < 3; i++) {
        if (!switch_to(back, names[i]) || !switch_to(back, "interpreter"))
            return;
        const struct cpu *a = &never->vcpu[0]->cpu, *b = &back->vcpu[0]->cpu;
        check_context("back from %s", names[i]);
        CHECK(memcmp(a->cost, b->cost, sizeof a->cost) == 0);
        CHECK_EQ(b->cost_pf, a->cost_pf);
        CHECK_EQ(b->cost_mmio, a->cost_mmio);
        CHECK_EQ(b->icept, 0);
        CHECK(!back->posts_interrupts);
    }
    vm_free(never);
    vm_free(back);
}

/* --- random programs --- */

#define SLICE 4000
#define MOST_CYCLES 40000000

static enum exit_kind run_some(struct vm *vm, cycles_t cycles)
{
    struct exit e = { .kind = EXIT_DEADLINE };
    cycles_t deadline = vm->clock.now + cycles;
    while (e.kind == EXIT_KICKED || (e.kind == EXIT_DEADLINE && vm->clock.now < deadline))
        vm->engine->run(vm->vcpu[0], deadline, &e);
    return e.kind;
}

static enum exit_kind run_switching(struct vm *vm, u64 *random)
{
    enum exit_kind e = EXIT_DEADLINE;
    cycles_t most = vm->clock.now + MOST_CYCLES;
    while (e == EXIT_DEADLINE && vm->clock.now < most) {
        if (!switch_to(vm, names[check_random(random) % ARRAY_LEN(names)]))
            return EXIT_STOPPED;
        e = run_some(vm, 1 + check_random(random) % SLICE);
    }
    return e;
}

/* A processor that shut down stands wherever it was. */
static bool agree(struct vm *a, struct vm *b, enum exit_kind end)
{
    struct cpu_state x, y;
    a->engine->get_state(a->vcpu[0], &x);
    b->engine->get_state(b->vcpu[0], &y);
    const char *what = lockstep_states(&x, &y, end == EXIT_SHUTDOWN ? ~(u64)(FLAG_STATUS | FLAG_RF) : ~(u64)0);
    s64 at = what ? -1 : progen_difference(a, b);
    if (what)
        FAIL("%s", what);
    else if (at >= 0)
        FAIL("memory at 0x%" PRIx64, at);
    return !what && at < 0;
}

static bool one_program(u64 seed, u64 *random)
{
    static struct progen p;
    struct vm *referee = lockstep_machine(&bare_engine, false), *other = lockstep_machine(&bare_engine, false);
    progen_make(&p, seed, PROGEN_ALL, 20, ~(u64)0);
    progen_prepare(referee);
    progen_prepare(other);
    progen_load(&p, referee);
    progen_load(&p, other);
    check_context("program of seed 0x%" PRIx64, seed);
    enum exit_kind end = run_some(referee, 300000), same = end == EXIT_DEADLINE ? end : run_switching(other, random);
    bool ok = CHECK_EQ(same, end) && (end == EXIT_DEADLINE || agree(referee, other, end));
    vm_free(referee);
    vm_free(other);
    return ok;
}

static void test_programs(void)
{
    u64 random = check_seed();
    unsigned n = getenv("EMU_SOAK") ? 3000 : 60;
    for (unsigned i = 0; i < n; i++)
        if (!one_program(check_random(&random), &random))
            return;
}

/* --- events on their way --- */

static struct intc one_vector;
static bool vector_waits(struct intc *i) { return true; }
static u8 take_vector(struct intc *i) { return 0x20; }

/* Spins at 100000h, with a gate for interrupt 20h whose handler counts at 9000h; nothing is on the stack's page yet. */
static void begin_spinning(struct vm *vm)
{
    static const u8 spin[] = { 0xeb, 0xfe }, handler[] = { 0xff, 0x05, 0x00, 0x90, 0x00, 0x00, 0xeb, 0xfe }; /* inc dword [9000h]; jmp $ */
    const u64 gate = 0x00108e0000080800, descriptor = 0x00cf9b000000ffff; /* an interrupt gate to 8:100800h; flat code */
    struct cpu_state s;
    physmap_write(&vm->map, 0x100000, spin, sizeof spin);
    physmap_write(&vm->map, 0x100800, handler, sizeof handler);
    physmap_store(&vm->map, 0x200000 + 0x20 * 8, 8, gate);
    physmap_store(&vm->map, 0x201008, 8, descriptor);
    state_flat32(&s, 0x100000, 0x303000);
    s.idtr = (struct dtable){ 0x200000, 0x7ff };
    s.gdtr = (struct dtable){ 0x201000, 15 };
    s.rflags |= FLAG_IF;
    vm->engine->set_state(vm->vcpu[0], &s);
}

/* An interrupt that was taken from the controller, and whose delivery memory of the monitor's has cut short, when the time for a
 * switch was there. It comes once, whoever goes on. */
static void test_event_on_its_way(void)
{
    static const char *const features[] = { "ept,vpid,ug", "no-ept" };
    for (unsigned f = 0; f < ARRAY_LEN(features); f++) {
        for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
            struct vm *vm = lockstep_machine(&bare_engine, false);
            check_context("--hw=%s to %s", features[f], names[i]);
            vm->config.hw = features[f];
            one_vector = (struct intc){ vector_waits, take_vector };
            vm->intc = &one_vector;
            if (!switch_to(vm, "kvm-model"))
                return;
            begin_spinning(vm);
            run_some(vm, 100000);
            vm->vcpu[0]->intr = true;
            CHECK_EQ(run_some(vm, 20), EXIT_DEADLINE);
            vm->vcpu[0]->intr = false;
            CHECK_EQ(physmap_load(&vm->map, 0x9000, 4), 0);
            if (!switch_to(vm, names[i]))
                return;
            run_some(vm, 200000);
            CHECK_EQ(physmap_load(&vm->map, 0x9000, 4), 1);
            vm_free(vm);
        }
    }
    check_context(NULL);
}

/* --- guests --- */

static int by_machine(const char *kernel, const char *const *plan, char *text, size_t size, struct cpu_state *end)
{
    struct vm_config c;
    struct switches s = { 0 };
    vm_config_defaults(&c);
    c.engine = &bare_engine;
    c.accel = &bt_accel;
    c.kernel = kernel;
    c.max_seconds = 60;
    c.serial[0] = chardev_buffer_new();
    struct vm *vm = vm_new(&c, &err);
    if (!CHECK(vm))
        return -1;
    for (; *plan; plan++)
        CHECK_EQ(switches_add(&s, *plan, &err), 0);
    switches_start(&s, vm);
    int status = vm_run(vm);
    switches_finish(&s);
    vm->engine->get_state(vm->vcpu[0], end);
    snprintf(text, size, "%s", chardev_buffer_text(c.serial[0], NULL));
    vm_free(vm);
    chardev_close(c.serial[0]);
    return status;
}

/* "@nano OPERATION COUNT CYCLES": the cycles are each engine's own. */
static void drop_cycles(char *text)
{
    char *to = text, *save;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *last = strrchr(line, ' ');
        if (*line == '@' && last)
            *last = 0;
        to += sprintf(to, "%.*s\n", (int)strlen(line), line);
    }
}

static void same_guest(const char *kernel, const char *const *plan)
{
    static char text[2][8192], again[8192];
    static const char *const none[] = { NULL };
    struct cpu_state end[3];
    if (access(kernel, R_OK))
        SKIP("%s is not there; run make guests", kernel);
    int status = by_machine(kernel, none, text[0], sizeof text[0], &end[0]);
    CHECK_EQ(by_machine(kernel, plan, text[1], sizeof text[1], &end[1]), status);
    CHECK_EQ(by_machine(kernel, plan, again, sizeof again, &end[2]), status);
    CHECK_STR(again, text[1]); /* every cycle the same once more */
    const char *what = lockstep_states(&end[1], &end[2], ~(u64)0);
    CHECK_STR(what ? what : "", "");
    drop_cycles(text[0]);
    drop_cycles(text[1]);
    CHECK_STR(text[1], text[0]);
    CHECK_EQ(end[1].rip, end[0].rip);
    CHECK_EQ(end[1].cr3, end[0].cr3);
    CHECK_EQ(end[1].cr0, end[0].cr0);
    CHECK_EQ(end[1].gpr[RSP], end[0].gpr[RSP]);
}

static void test_nano(void)
{
    static const char *const plan[] = { "300000:bt", "500000:kvm-model", "1000000:interpreter", "1500000:bt", "2000000:kvm-model", "3000000:bare", NULL };
    same_guest("build/guests/nano.native.elf", plan);
}

static void test_tick(void)
{
    static const char *const plan[] = { "0.01s:kvm-model", "0.05s:bt", "0.07s:interpreter", "0.11s:kvm-model", "0.13s:bare", NULL };
    same_guest("build/guests/tick.native.elf", plan);
}

/* Flat code, which every KVM runs, now on the host's processor and now on ours: ports count every step of the way. */
static struct { u64 writes, wrong; } seen;
static u64 no_read(void *dev, u64 offset, unsigned size) { return 0; }
static void count_write(void *dev, u64 offset, unsigned size, u64 value) { seen.wrong += value != seen.writes++; }

static void test_host(void)
{
    /* xor eax, eax; mov edx, 5000h; 1: out dx, eax; inc eax; fninit; fld1; fstp qword [8000h]; cmp eax, 1200; jb 1b; hlt */
    static const u8 code[] = { 0x31, 0xc0, 0xba, 0x00, 0x50, 0x00, 0x00, 0xef, 0x40, 0xdb, 0xe3, 0xd9, 0xe8, 0xdd, 0x1d, 0x00, 0x80, 0x00, 0x00,
                               0x3d, 0xb0, 0x04, 0x00, 0x00, 0x72, 0xed, 0xf4 };
    static const struct bus_ops port = { no_read, count_write, 4, 4 };
    static const char *const turns[] = { "kvm-host", "interpreter", "kvm-host", "bt", "kvm-host", "kvm-model" };
    struct host_findings f;
    struct cpu_state s;
    u64 random = check_seed();
    if (host_try(&f, &err) < 0)
        SKIP("%s", err.text);
    struct vm *vm = lockstep_machine(&bare_engine, false);
    bus_add_ports(&vm->bus, "seen", 0x5000, 4, &port, vm, &err);
    physmap_write(&vm->map, 0x100000, code, sizeof code);
    state_flat32(&s, 0x100000, 0x7000);
    vm->engine->set_state(vm->vcpu[0], &s);
    enum exit_kind e = EXIT_DEADLINE;
    unsigned n = 0;
    memset(&seen, 0, sizeof seen);
    for (; e == EXIT_DEADLINE && n < 20000; n++) {
        const char *name = turns[n % ARRAY_LEN(turns)];
        if (!switch_to(vm, name))
            break;
        e = run_some(vm, strcmp(name, "kvm-host") ? 1 + check_random(&random) % 20000 : 20000000);
    }
    check_context("%u switches", n);
    CHECK_EQ(e, EXIT_HLT);
    CHECK_EQ(seen.writes, 1200);
    CHECK_EQ(seen.wrong, 0);
    CHECK(n > 6);
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.gpr[RAX], 1200);
    CHECK_EQ(physmap_load(&vm->map, 0x8000, 8), 0x3ff0000000000000);
    vm_free(vm);
}

/* A switch that cannot be ends the run, and says so. */
static void test_refused(void)
{
    static char text[8192];
    static const char *const plan[] = { "10000:kvm-host", NULL };
    struct cpu_state end;
    struct host_findings f;
    if (access("build/guests/nano.native.elf", R_OK))
        SKIP("build/guests has no nano; run make guests");
    if (host_try(&f, &err) == 0 && f.paging32)
        SKIP("this host's KVM runs it");
    CHECK_EQ(by_machine("build/guests/nano.native.elf", plan, text, sizeof text, &end), STATUS_USER);
}

/* --- Linux, as its user types it --- */

static bool shell_says(const char *switches, const char *part)
{
    char command[1024];
    static char out[65536];
    snprintf(command, sizeof command, "timeout 200 %s -m 128 -kernel guests/real/linux32 -initrd build/tests/initrd-switch -append 'console=ttyS0 quiet' --expect 'guest# ' "
             "--then 'expr 6 \\* 7; md5sum /bin/busybox; poweroff -f\\n' --expect 'Power down' --engine bare %s </dev/null 2>&1", access("./emu", X_OK) ? "build/san/emu" : "./emu", switches);
    FILE *f = popen(command, "r");
    size_t n = fread(out, 1, sizeof out - 1, f);
    out[n] = 0;
    CHECK_EQ(pclose(f), 0);
    return CHECK_CONTAINS(out, "\n42\r") && CHECK_CONTAINS(out, part);
}

static void test_linux(void)
{
    char sum[64] = "";
    if (access("guests/real/linux32", R_OK) || access("guests/real/busybox32", R_OK))
        SKIP("guests/real has no linux32 and busybox32; run tools/fetch-guests");
    if (system("tools/make-initramfs build/tests/initrd-switch"))
        SKIP("tools/make-initramfs cannot make the initial RAM disk");
    FILE *f = popen("md5sum guests/real/busybox32", "r");
    CHECK_EQ(fscanf(f, "%32s", sum), 1);
    pclose(f);
    shell_says("--switch-engine-at 0.3s:bt --switch-engine-at 0.6s:kvm-model --switch-engine-at 1.0s:bare --switch-engine-at 1.4s:bt --switch-engine-at 2.0s:kvm-model "
               "--switch-engine-at 2.8s:bt --switch-engine-at 3.1s:kvm-model --switch-engine-at 3.4s:bt", sum);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "names", test_names }, { "costs", test_costs }, { "programs", test_programs }, { "event on its way", test_event_on_its_way }, { "nano", test_nano }, { "tick", test_tick }, { "host", test_host }, { "refused", test_refused }, { "linux", test_linux },
        { NULL, NULL },
    };
    return check_main(argc, argv, "switch", tests);
}
