/* SPDX-License-Identifier: MIT */
/* The host backend. What needs /dev/kvm is a named skip where there is none. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "hwassist/host/host.h"
#include "machine/bare.h"

static struct error err;

#define NEEDS_KVM() do { struct host_findings f_; if (host_try(&f_, &err) < 0) SKIP("%s", err.text); } while (0)

/* Each cause its own sentence, all with a way out. */
static void test_errors(void)
{
    static const struct { int errnum; const char *says; } rows[] = {
        { ENOENT, "not there" }, { EACCES, "group kvm" }, { EBUSY, "another hypervisor" }, { EIO, "Input/output error" },
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        check_context("%s", strerror(rows[i].errnum));
        CHECK_EQ(host_explain(rows[i].errnum, &err), -1);
        CHECK_CONTAINS(err.text, rows[i].says);
        CHECK_CONTAINS(err.text, "--kvm=model");
    }
    CHECK_EQ(host_open("/dev/no-such-device", &err), -1);
    CHECK_CONTAINS(err.text, "not there");
    CHECK_EQ(host_open("/dev/null", &err), -1);
    CHECK_CONTAINS(err.text, "does not answer as KVM");
}

static void test_choice(void)
{
    char why[200];
    CHECK(kvm_choose("model", why, sizeof why, &err) == &kvm_model_backend);
    CHECK(kvm_choose("host", why, sizeof why, &err) == &kvm_host_backend);
    CHECK(kvm_choose("hots", why, sizeof why, &err) == NULL);
    CHECK_CONTAINS(err.text, "--kvm=hots");
    CHECK(kvm_choose(NULL, why, sizeof why, &err) != NULL);
    CHECK(strlen(why) > 10);
}

static void test_probe(void)
{
    struct host_findings f;
    NEEDS_KVM();
    CHECK_EQ(host_try(&f, &err), 0);
    CHECK(f.ns > 0 && f.ns < 1e6);
    char detail[160];
    CHECK_EQ(kvm_host_backend.probe(detail, sizeof detail, &err), 0);
    CHECK_CONTAINS(detail, "/dev/kvm works");
}

enum { CODE_AT = 0x100000, DATA_AT = 0x8000, RAM = 4 << 20 };

static struct vm *make(const struct engine_ops *engine, const void *code, size_t len)
{
    struct vm_config c;
    struct cpu_state s;
    vm_config_defaults(&c);
    c.engine = engine;
    c.kvm = "host";
    c.ram_size = RAM;
    c.max_seconds = 20;
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("vm_new: %s", err.text);
        return NULL;
    }
    physmap_write(&vm->map, CODE_AT, code, len);
    state_flat32(&s, CODE_AT, 0x7000);
    vm->engine->set_state(vm->vcpu[0], &s);
    return vm;
}

static void compare(struct vm *a, struct vm *b)
{
    struct cpu_state x, y;
    a->engine->get_state(a->vcpu[0], &x);
    b->engine->get_state(b->vcpu[0], &y);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(y.gpr[i], x.gpr[i]);
    CHECK_EQ(y.rip, x.rip);
    CHECK_EQ(y.rflags & ~(u64)FLAG_RF, x.rflags & ~(u64)FLAG_RF);
    for (unsigned i = 0; i < SREG_COUNT; i++)
        CHECK_EQ(y.seg[i].base, x.seg[i].base);
    for (gpa_t gpa = DATA_AT; gpa < DATA_AT + PAGE_SIZE; gpa += 4)
        CHECK_EQ(physmap_load(&b->map, gpa, 4), physmap_load(&a->map, gpa, 4));
}

#define GUEST(name, code) { name, code, sizeof(code) - 1 }
static const struct { const char *name, *code; size_t len; } guests[] = {
    GUEST("arithmetic", "\xb8\x05\x00\x00\x00\xbb\x07\x00\x00\x00\x01\xd8\xa3\x00\x80\x00\x00\xf4"),
    GUEST("cpuid", "\xb8\x01\x00\x00\x00\x31\xc9\x0f\xa2\x31\xdb\xa3\x00\x80\x00\x00\x31\xd2\x31\xc9\xf4"), /* the model's signature; KVM has a say in ECX */
    GUEST("ports", "\xb0\x5a\xe6\x80\xba\xcd\xab\x00\x00\xed\xa3\x00\x80\x00\x00\xf4"),                  /* out 80; in eax, abcd */
    GUEST("string input", "\xbf\x10\x80\x00\x00\xb9\x08\x00\x00\x00\xba\x00\x03\x00\x00\xfc\xf3\x6c\xf4"), /* rep insb */
    GUEST("mmio", "\xa1\x00\x00\x00\xe0\xa3\x00\x80\x00\x00\xc6\x05\x10\x00\x00\xe0\x07\x0f\xb6\x1d\x03\x00\x00\xe0\xf4"),
    GUEST("stack", "\x68\x78\x56\x34\x12\x5b\x89\x1d\x00\x80\x00\x00\xf4"),
};

static void test_guests(void)
{
    NEEDS_KVM();
    for (unsigned i = 0; i < ARRAY_LEN(guests); i++) {
        struct vm *bare = make(&bare_engine, guests[i].code, guests[i].len), *host = make(&kvm_engine, guests[i].code, guests[i].len);
        if (!bare || !host)
            return;
        check_context("%s", guests[i].name);
        CHECK_EQ(vm_run(bare), STATUS_STOPPED);
        CHECK_EQ(vm_run(host), STATUS_STOPPED);
        CHECK_CONTAINS(host->reason, "halted with interrupts disabled");
        compare(bare, host);
        CHECK_EQ(host->ledger.count[EV_KVMHOST_HLT], 1);
        vm_free(bare);
        vm_free(host);
    }
}

/* Writes "hello" to port E9 and leaves through the exit port: status (5 << 1) | 1. */
static void test_hello(void)
{
    static const char code[] = "\xbe\x18\x00\x10\x00\xb9\x06\x00\x00\x00\xba\xe9\x00\x00\x00\xf3\x6e\xb0\x05\xe6\xf4\xeb\xfe\x90hello\n";
    NEEDS_KVM();
    struct vm *vm = make(&kvm_engine, code, sizeof code - 1);
    CHECK_EQ(vm_run(vm), 5 << 1 | 1);
    CHECK(vm->ledger.count[EV_KVMHOST_IO] >= 2);
    vm_free(vm);
}

/* A guest that never exits comes back at the run loop's deadlines, and at a limit. */
static void test_endless(void)
{
    NEEDS_KVM();
    struct vm *vm = make(&kvm_engine, "\xeb\xfe", 2);
    vm->config.max_seconds = 0.2;
    CHECK_EQ(vm_run(vm), STATUS_LIMIT);
    CHECK(vm->ledger.count[EV_KVMHOST_SIGNAL] >= 1);
    CHECK(vm->clock.now > 0);
    vm_free(vm);
}

/* State that is set comes back as it was. */
static void test_state(void)
{
    struct cpu_state s, t;
    NEEDS_KVM();
    struct vm *vm = make(&kvm_engine, "\xf4", 1);
    state_flat32(&s, CODE_AT, 0x6000);
    for (unsigned i = 0; i < 8; i++)
        s.gpr[i] = 0x01010101 * (i + 1);
    s.sysenter_eip = 0x1234;
    s.fpu.fcw = 0x27f;
    s.fpu.mxcsr = 0x1fa0;
    s.misc_enable = 1;
    s.dr[0] = 0x4567;
    vm->engine->set_state(vm->vcpu[0], &s);
    struct host_vcpu *h = vm->vcpu[0]->engine_data;
    host_push(h);
    memset(vm->vcpu[0]->cpu.state.gpr, 0xff, sizeof vm->vcpu[0]->cpu.state.gpr);
    vm->engine->get_state(vm->vcpu[0], &t);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(t.gpr[i], s.gpr[i]);
    CHECK_EQ(t.rip, s.rip);
    CHECK_EQ(t.sysenter_eip, s.sysenter_eip);
    CHECK_EQ(t.fpu.fcw, s.fpu.fcw);
    CHECK_EQ(t.fpu.mxcsr, s.fpu.mxcsr);
    CHECK_EQ(t.dr[0], s.dr[0]);
    for (unsigned i = 0; i < SREG_COUNT; i++) {
        CHECK_EQ(t.seg[i].attr, s.seg[i].attr);
        CHECK_EQ(t.seg[i].limit, s.seg[i].limit);
    }
    vm_free(vm);
}

/* Steps and breakpoints are the interpreter's. */
static void test_step(void)
{
    struct exit e;
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(&kvm_engine, "\x40\x40\xf4", 3);
    vm->engine->step(vm->vcpu[0], &e);
    CHECK_EQ(e.kind, EXIT_DEBUG);
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.gpr[RAX], 1);
    CHECK_EQ(s.rip, CODE_AT + 1);
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.gpr[RAX], 2);
    vm_free(vm);
}

/* A kernel needs 32-bit paging: where the host refuses that, it is said before anything runs. */
static void test_refusal(void)
{
    struct host_findings f;
    struct vm_config c;
    NEEDS_KVM();
    host_try(&f, &err);
    if (f.paging32)
        SKIP("this host's KVM has 32-bit paging");
    vm_config_defaults(&c);
    c.engine = &kvm_engine;
    c.kvm = "host";
    c.kernel = "guest";
    struct vm *vm = vm_new(&c, &err);
    CHECK(!vm);
    CHECK_CONTAINS(err.text, "--kvm=model");
}

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void test_leaks(void)
{
    NEEDS_KVM();
    unsigned before = open_files();
    for (int i = 0; i < 200; i++) {
        struct vm *vm = make(&kvm_engine, "\xf4", 1);
        if (!vm)
            return;
        vm_free(vm);
    }
    CHECK_EQ(open_files(), before);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "errors", test_errors }, { "choice", test_choice }, { "probe", test_probe }, { "guests", test_guests }, { "hello", test_hello },
        { "endless", test_endless }, { "state", test_state }, { "step", test_step }, { "refusal", test_refusal }, { "leaks", test_leaks },
        { NULL, NULL },
    };
    return check_main(argc, argv, "hwassist host", tests);
}
