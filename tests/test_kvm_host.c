/* SPDX-License-Identifier: MIT */
/* How a machine on the host's KVM runs: breakpoints, kicks, what the kernel counts; machines that come and go. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kvm_host.h"

GUEST_CODE(
    "host_dirty:\nmovl $1, 0x9004\nmovl $2, 0xb000\nmovl $3, 0x8000\nhlt\n"
    "host_rom:\nmov 0xc8000, %eax\nmovl $0x5555, 0xc8000\nmov 0xc8000, %ebx\nhlt\n"

    "host_loop:\nmov $5, %ecx\n1: inc %eax\nhost_here: inc %ebx\nloop 1b\nhlt\n"

    /* 20,000 numbers to a port, each of which must come once and in order */
    "host_storm:\nxor %eax, %eax\nmov $0x5000, %edx\n1: out %eax, %dx\ninc %eax\ncmp $20000, %eax\njb 1b\nhlt\n"

    /* what both backends must make the same exits of */
    "host_mix:\nmov $0x5000, %edx\nmov $3, %ecx\n1: mov %ecx, %eax\nout %eax, %dx\nin %dx, %al\nmov %eax, 0xd0000020\npush %ecx\nxor %eax, %eax\ncpuid\npop %ecx\nloop 1b\n"
    "mov $0x5004, %edx\nmov $0x8100, %edi\nmov $5, %ecx\ncld\nrep insb\nmov $0x8100, %esi\nmov $5, %ecx\nrep outsb\nmovzbl 0xd0000003, %ebx\n"
    "movw $0x1234, 0xd0000042\nincl 0xd0000040\nxor %edx, %edx\nhlt\n");
extern const u8 host_dirty[], host_loop[], host_here[], host_storm[], host_mix[];

/* --- debugger --- */

static void test_breakpoints(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(host_loop);
    struct cpu_debug d = { .nbreak = 1, .brk = { at(host_here) } };
    struct exit e;
    if (!vm)
        return;
    vm->vcpu[0]->cpu.debug = &d;
    CHECK(host_debug_by_hardware(vcpu_of(vm)) || !host_can(host_of(vm), HOST_GUEST_DEBUG));
    for (unsigned i = 1; i <= 5; i++) {
        check_context("round %u", i);
        vm->engine->run(vm->vcpu[0], vm->clock.now + vm->clock.hz, &e);
        if (!CHECK_EQ(e.kind, EXIT_DEBUG))
            break;
        vm->engine->get_state(vm->vcpu[0], &s);
        CHECK_EQ(s.rip, at(host_here));
        CHECK_EQ(s.gpr[RAX], i);
        CHECK_EQ(s.gpr[RBX], i - 1);
        CHECK_EQ(s.dr[7], 0x400); /* the guest sees nothing of it */
    }
    vm->engine->run(vm->vcpu[0], vm->clock.now + vm->clock.hz, &e);
    CHECK_EQ(e.kind, EXIT_HLT);
    CHECK(vcpu_of(vm)->interpreted <= 6);
    d.nbreak = 5;
    CHECK(!host_debug_by_hardware(vcpu_of(vm)));
    d.nbreak = 1;
    d.nwatch = 1;
    CHECK(!host_debug_by_hardware(vcpu_of(vm)));
    vm->vcpu[0]->cpu.debug = NULL;
    vm_free(vm);
}

/* --- statistics, parameters --- */

static void test_stats(void)
{
    NEEDS_KVM();
    struct vm *vm = make(host_storm);
    u64 io = 0;
    char *text;
    size_t size;
    if (!vm)
        return;
    if (!host_can(host_of(vm), HOST_STATS_FD))
        SKIP("this host's KVM has no KVM_GET_STATS_FD");
    run_to_hlt(vm);
    CHECK(host_read_stat(vcpu_of(vm)->fd, "halt_exits", &io));
    CHECK_EQ(io, 1);
    CHECK(host_read_stat(vcpu_of(vm)->fd, "exits", &io));
    CHECK(io > 20000);
    CHECK(host_read_stat(vcpu_of(vm)->fd, "io_exits", &io));
    CHECK(io == 20000 || io == 0); /* a software-backed one does not count them */
    CHECK(!host_read_stat(vcpu_of(vm)->fd, "no_such_counter", &io));
    FILE *out = open_memstream(&text, &size);
    vm->engine->info(vm, out);
    fclose(out);
    CHECK_CONTAINS(text, "kernel_irqchip=off");
    CHECK_CONTAINS(text, "kvm-host.io 20000\n");
    free(text);
    vm_free(vm);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void test_params(void)
{
    char root[] = "/tmp/emu-params-XXXXXX", dir[100], text[256];
    CHECK(mkdtemp(root));
    host_params(root, text, sizeof text);
    CHECK_CONTAINS(text, "neither kvm_intel nor kvm_amd");
    snprintf(dir, sizeof dir, "mkdir -p %s/kvm_intel/parameters", root);
    CHECK_EQ(system(dir), 0);
    snprintf(dir, sizeof dir, "%s/kvm_intel/parameters", root);
    put_file(dir, "ept", "Y\n");
    put_file(dir, "vpid", "N\n");
    put_file(dir, "enable_apicv", "1\n");
    host_params(root, text, sizeof text);
    CHECK_STR(text, "kvm_intel: EPT no VPID PI");
    snprintf(dir, sizeof dir, "rm -r %s", root);
    CHECK_EQ(system(dir), 0);
}

/* --- kicks --- */

static struct { struct vcpu *v; atomic_bool stop; u64 kicks, signals; } storm;

static void *kick_all_the_time(void *unused)
{
    u64 random = check_seed();
    while (!storm.stop) {
        storm.v->vm->engine->kick(storm.v);
        storm.kicks++;
        usleep(check_random(&random) % 300);
    }
    return NULL;
}

static void storm_once(void)
{
    pthread_t thread;
    struct vm *vm = make(host_storm);
    if (!vm)
        return;
    storm.v = vm->vcpu[0];
    storm.stop = false;
    pthread_create(&thread, NULL, kick_all_the_time, NULL);
    run_to_hlt(vm);
    storm.stop = true;
    pthread_join(thread, NULL);
    CHECK_EQ(rec.writes, 20000);
    CHECK_EQ(rec.wrong, 0);
    storm.signals += vm->ledger.count[EV_KVMHOST_SIGNAL];
    vm_free(vm);
}

/* Every number comes once and in order, however often KVM_RUN is called back. EMU_SOAK: two million of them. */
static void test_kick_storm(void)
{
    NEEDS_KVM();
    bool soak = getenv("EMU_SOAK");
    storm.kicks = storm.signals = 0;
    for (unsigned i = 0; i < (soak ? 100 : 1); i++)
        storm_once();
    if (soak)
        printf("kicks: %llu, of which KVM_RUN came back %llu times\n", (unsigned long long)storm.kicks, (unsigned long long)storm.signals);
    CHECK(storm.kicks > 20);
}

/* --- machines come and go --- */

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static u64 resident_pages(void)
{
    unsigned long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK_EQ(fscanf(f, "%lu %lu", &size, &resident), 2);
    fclose(f);
    return resident;
}

static bool cycle(unsigned i)
{
    struct vm *vm = make_with(i % 3, i % 2 ? host_dirty : host_mix);
    if (!vm)
        return false;
    if (i % 4 == 0)
        vm_run(vm);
    vm_free(vm);
    return true;
}

/* EMU_SOAK in the environment: ten thousand, and what they took. */
static void test_leaks(void)
{
    NEEDS_KVM();
    bool soak = getenv("EMU_SOAK");
    unsigned n = soak ? 10000 : 120;
    for (unsigned i = 0; i < 24; i++) /* what is made once */
        cycle(i);
    unsigned files = open_files();
    u64 pages = resident_pages(), started = pace_host_ns();
    for (unsigned i = 0; i < n; i++)
        if (!cycle(i))
            return;
    u64 now = resident_pages();
    if (soak)
        printf("%u machines in %.1f s: files %u before, %u behind; resident pages %llu before, %llu behind\n", n, (pace_host_ns() - started) / 1e9, files,
               open_files(), (unsigned long long)pages, (unsigned long long)now);
    CHECK_EQ(open_files(), files);
    check_context("%llu pages before, %llu behind %u machines", (unsigned long long)pages, (unsigned long long)now, n);
    CHECK(now < pages + 256);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "breakpoints", test_breakpoints }, { "stats", test_stats }, { "params", test_params },
        { "kick_storm", test_kick_storm }, { "leaks", test_leaks },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm host", tests);
}
