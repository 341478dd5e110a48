/* SPDX-License-Identifier: MIT */
/* Several processors: our own guest (guests/smp) on every engine, Linux, and that a run is the same every time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "bt/bt.h"
#include "devices/serial/chardev.h"
#include "hwassist/hwassist.h"
#include "machine/bare.h"
#include "machine/vm.h"
#include "paravirt/pv.h"

#define GUEST "build/guests/smp.native.elf"

struct setting { const char *name; const struct engine_ops *engine; const char *hw; bool translated; };
static const struct setting settings[] = {
    { "bt", &bt_engine, NULL, false },
    { "bare, translated", &bare_engine, NULL, true },
    { "bare, interpreted", &bare_engine, NULL, false },
    { "kvm model", &kvm_engine, NULL, true },
    { "kvm model, no EPT", &kvm_engine, "no-ept", true },
};
static const struct setting host = { "kvm host", &kvm_engine, NULL, false };

struct outcome { int status; char reason[256], text[65536]; u64 now, insns, hash; };

static struct vm_config config_of(const struct setting *on, unsigned processors)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = on->engine;
    c.accel = on->translated ? &bt_accel : NULL;
    c.hw = on->hw;
    c.kvm = on == &host ? "host" : "model";
    c.smp = processors;
    c.no_reboot = true;
    c.max_seconds = 300;
    return c;
}

static u64 hash_of(const struct vm *vm)
{
    u64 hash = 0xcbf29ce484222325; /* FNV-1a over words */
    for (unsigned i = 0; i < EV_COUNT; i++)
        hash = (hash ^ vm->ledger.count[i]) * 0x100000001b3;
    for (unsigned i = 0; i < vm->nvcpus; i++)
        hash = (hash ^ vm->vcpu[i]->cpu.icount) * 0x100000001b3;
    return hash;
}

/* To the end. False if there is no such machine. */
static bool run(struct vm_config *c, struct outcome *o)
{
    struct error err = { "" };
    struct chardev *console = chardev_buffer_new();
    memset(o, 0, sizeof *o);
    c->serial[0] = console;
    struct vm *vm = vm_new(c, &err);
    if (vm) {
        o->status = vm_run(vm);
        snprintf(o->reason, sizeof o->reason, "%.250s", vm->reason);
        snprintf(o->text, sizeof o->text, "%s", chardev_buffer_text(console, NULL));
        o->now = vm->clock.now;
        o->insns = vm->ledger.guest_insns;
        o->hash = hash_of(vm);
        vm_free(vm);
    } else {
        snprintf(o->reason, sizeof o->reason, "%.250s", err.text);
    }
    chardev_close(console);
    return vm;
}

static void test_guest(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(settings); i++) {
        for (unsigned n = 1; n <= VM_MAX_VCPUS; n *= 2) {
            struct vm_config c = config_of(&settings[i], n);
            struct outcome o;
            char expected[80];
            check_context("%s, %u processors", settings[i].name, n);
            c.kernel = GUEST;
            snprintf(expected, sizeof expected, "@smp processors %u counted %u\n", n, n * 2000);
            CHECK(run(&c, &o));
            CHECK_STR(o.text, expected);
            CHECK_STR(o.reason, "the guest turned the machine off");
        }
    }
    check_context(NULL);
}

static void test_host(void)
{
    for (unsigned n = 1; n <= VM_MAX_VCPUS; n *= 2) {
        struct vm_config c = config_of(&host, n);
        struct outcome o;
        char expected[80];
        c.kernel = GUEST;
        snprintf(expected, sizeof expected, "@smp processors %u counted %u\n", n, n * 2000);
        if (!run(&c, &o))
            SKIP("%s", o.reason);
        check_context("kvm host, %u processors", n);
        CHECK_STR(o.text, expected);
    }
}

/* The same input, the same counts; and the translator as an accelerator makes no difference at all. */
static void test_determinism(void)
{
    struct outcome first[ARRAY_LEN(settings)];
    for (unsigned i = 0; i < ARRAY_LEN(settings); i++) {
        struct vm_config c = config_of(&settings[i], 4);
        struct outcome again;
        check_context("%s", settings[i].name);
        c.kernel = GUEST;
        CHECK(run(&c, &first[i]) && run(&c, &again));
        CHECK_EQ(first[i].now, again.now);
        CHECK_EQ(first[i].hash, again.hash);
    }
    check_context(NULL);
    CHECK_EQ(first[1].now, first[2].now);
    CHECK_EQ(first[1].hash, first[2].hash);
}

static void check_refused(const struct engine_ops *engine, const char *cpu, unsigned n, const char *why)
{
    struct setting on = { "", engine, NULL, false };
    struct vm_config c = config_of(&on, n);
    struct outcome o;
    c.cpu_model = cpu;
    CHECK(!run(&c, &o));
    CHECK_CONTAINS(o.reason, why);
}

static void test_refused(void)
{
    check_refused(&bare_engine, "core2", VM_MAX_VCPUS + 1, "at most 8 processors");
    check_refused(&bare_engine, "486", 2, "no local APIC");
    check_refused(&pv_engine, "core2", 2, "runs one processor; give -smp 1");
}

/* --- a machine of a few bytes --- */

static struct vm *tiny(const void *code, size_t size, unsigned processors)
{
    struct error err = { "" };
    char path[] = "/tmp/emu-test-XXXXXX";
    int fd = mkstemp(path);
    struct vm_config c = config_of(&settings[2], processors);
    c.kernel = path;
    CHECK(write(fd, code, size) == (ssize_t)size);
    struct vm *vm = vm_new(&c, &err);
    close(fd);
    unlink(path);
    if (!vm)
        FAIL("%s", err.text);
    return vm;
}

/* All halted with interrupts off, or never started: nothing can wake any of them. */
static void test_dead(void)
{
    struct vm *vm = tiny("\xfa\xf4", 2, 3);
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "nothing can wake it");
    CHECK_EQ(vm->vcpu[1]->cpu.icount, 0);
    vm_free(vm);
}

/* The first processor resets itself by INIT: it starts at the reset vector, its FPU and MTRRs as they were. */
static void test_init(void)
{
    /* mov dword [0xfee00310], 0; mov dword [0xfee00300], 0x4500; jmp $ */
    static const u8 code[] = { 0xc7, 0x05, 0x10, 0x03, 0xe0, 0xfe, 0, 0, 0, 0, 0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0, 0, 0xeb, 0xfe };
    struct vm *vm = tiny(code, sizeof code, 2);
    struct cpu *c = &vm->vcpu[0]->cpu;
    c->state.mtrr_def_type = 0xc06;
    /* Nothing is at the end of 4 GiB: ones there are an invalid opcode, whose real-mode handler is this. */
    physmap_store(&vm->map, 4 * VEC_UD, 4, 0x7000);
    physmap_store(&vm->map, 0x7000, 2, 0xf4fa); /* cli; hlt */
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    CHECK_EQ(c->state.rip, 0x7002);
    CHECK_EQ(physmap_load(&vm->map, 0xfffa, 4), 0xf000fff0); /* it came from the reset vector */
    CHECK_EQ(c->state.mtrr_def_type, 0xc06);
    CHECK_EQ(c->state.apic_base, 0xfee00900);
    vm_free(vm);
}

/* --- Linux --- */

static void linux_on(const struct setting *on)
{
    struct vm_config c = config_of(on, 4);
    struct outcome o;
    if (system("tools/fetch-guests linux32 busybox32 && tools/make-initramfs build/tests/initrd-smp bin/many=tests/linux_smp.sh"))
        SKIP("the Linux guest cannot be had (tools/fetch-guests linux32 busybox32)");
    check_context("%s", on->name);
    c.kernel = "guests/real/linux32";
    c.initrd = "build/tests/initrd-smp";
    c.append = "console=ttyS0 quiet run=many";
    CHECK(run(&c, &o));
    CHECK_STR(o.reason, "the guest turned the machine off");
    CHECK_CONTAINS(o.text, "@processors 4");
    CHECK_CONTAINS(o.text, "@loops 4");
    CHECK_CONTAINS(o.text, "@ticks 4");
    CHECK_CONTAINS(o.text, "@ipis yes");
}
static void test_linux_bt(void) { linux_on(&settings[0]); }
static void test_linux_bare(void) { linux_on(&settings[1]); }
static void test_linux_kvm(void)
{
    if (!getenv("EMU_SOAK"))
        SKIP("half a minute on a busy host: EMU_SOAK=1 runs it");
    linux_on(&settings[3]);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "guest", test_guest }, { "host", test_host }, { "determinism", test_determinism }, { "refused", test_refused }, { "dead", test_dead }, { "init", test_init },
        { "linux_bt", test_linux_bt }, { "linux_bare", test_linux_bare }, { "linux_kvm", test_linux_kvm }, { NULL, NULL },
    };
    return check_main(argc, argv, "smp", tests);
}
