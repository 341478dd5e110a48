/* SPDX-License-Identifier: MIT */
/*
 * The host backend's finer points, by small guests that also a software-backed KVM can run: real mode, flat 32-bit code, no paging.
 * ioctl() is the test's own and passes calls on: so a host that refuses or breaks can be had anywhere.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "hwassist/host/host.h"
#include "hwassist/kvm/kvm.h"
#include "machine/bare.h"

static struct error err;

/* --- a host that refuses: the n-th call of that request from now on fails --- */

static struct { unsigned long request; int errnum; } refuse;
/* And one that emulates nothing any more after `left` entries: KVM_EXIT_INTERNAL_ERROR each time. */
static struct { struct kvm_run *run; unsigned left; } give_up;

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    unsigned long arg = va_arg(ap, unsigned long);
    va_end(ap);
    if (refuse.errnum && request == refuse.request) {
        errno = refuse.errnum;
        return -1;
    }
    if (request == KVM_RUN && give_up.run && !give_up.run->immediate_exit && give_up.left-- == 0) {
        give_up.left = 0;
        give_up.run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
        give_up.run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
        return 0;
    }
    return syscall(SYS_ioctl, fd, request, arg);
}

#define NEEDS_KVM() do { struct host_findings f_; if (host_try(&f_, &err) < 0) SKIP("%s", err.text); } while (0)

/* --- guests: assembled for BASE, with tables ready --- */

enum { BASE = 0x100000, GDT_AT = 0x2000, IDT_AT = 0x3000, STACK_AT = 0x7000, DATA_AT = 0x8000, REAL_AT = 0x1000, MMIO_AT = 0xd0000000, ROM_AT = 0xc8000, RAM = 4 << 20 };

__asm__(
    ".pushsection .rodata\n.balign 4096\n.code32\nhost_blob:\n"
    /* vector 20h: the 8259A's line 0. 30h: a message, whose end the local APIC is told */
    "host_irq0:\nincl 0x8000\npush %eax\nmov $0x20, %al\nout %al, $0x20\npop %eax\niret\n"
    "host_msi:\nincl 0x8004\nmovl $0, 0xfee000b0\niret\n"

    /* twenty ticks of the PIT, 1 kHz */
    "host_ticks:\nmov $0x11, %al\nout %al, $0x20\nmov $0x20, %al\nout %al, $0x21\nmov $4, %al\nout %al, $0x21\nmov $1, %al\nout %al, $0x21\n"
    "mov $0xfe, %al\nout %al, $0x21\nmov $0x34, %al\nout %al, $0x43\nmov $0xa9, %al\nout %al, $0x40\nmov $0x04, %al\nout %al, $0x40\n"
    "1: sti\nhlt\ncli\ncmpl $20, 0x8000\njb 1b\nmov $0xff, %al\nout %al, $0x21\nhlt\n"

    /* a hundred rings of a doorbell */
    "host_rings:\nmov $100, %ecx\nmov $0x5000, %edx\n1: mov %ecx, %eax\nout %ax, %dx\nloop 1b\nmov $7, %ax\nadd $2, %edx\nout %ax, %dx\nhlt\n"

    /* rings until its own interrupt has come ten times */
    "host_loopback:\nmovl $0x1ff, 0xfee000f0\nsti\nmov $0x5000, %edx\n1: mov 0x8004, %ecx\nout %ax, %dx\n2: cmp %ecx, 0x8004\nje 2b\n"
    "cmpl $10, 0x8004\njb 1b\ncli\nhlt\n"

    /* many writes to a device, then a read */
    "host_writes:\nmov $1000, %ecx\n1: mov %ecx, 0xd0000010\nloop 1b\nmov 0xd0000000, %eax\nmov %eax, 0x8000\nhlt\n"

    "host_dirty:\nmovl $1, 0x9004\nmovl $2, 0xb000\nmovl $3, 0x8000\nhlt\n"
    "host_rom:\nmov 0xc8000, %eax\nmovl $0x5555, 0xc8000\nmov 0xc8000, %ebx\nhlt\n"

    "host_loop:\nmov $5, %ecx\n1: inc %eax\nhost_here: inc %ebx\nloop 1b\nhlt\n"

    /* 20,000 numbers to a port, each of which must come once and in order */
    "host_storm:\nxor %eax, %eax\nmov $0x5000, %edx\n1: out %eax, %dx\ninc %eax\ncmp $20000, %eax\njb 1b\nhlt\n"

    /* what both backends must make the same exits of */
    "host_mix:\nmov $0x5000, %edx\nmov $3, %ecx\n1: mov %ecx, %eax\nout %eax, %dx\nin %dx, %al\nmov %eax, 0xd0000020\npush %ecx\nxor %eax, %eax\ncpuid\npop %ecx\nloop 1b\n"
    "mov $0x5004, %edx\nmov $0x8100, %edi\nmov $5, %ecx\ncld\nrep insb\nmov $0x8100, %esi\nmov $5, %ecx\nrep outsb\nmovzbl 0xd0000003, %ebx\n"
    "movw $0x1234, 0xd0000042\nincl 0xd0000040\nxor %edx, %edx\nhlt\n"

    /* RDRAND is what some KVMs do not emulate; the flags say whether the processor has it, and then the number does not matter */
    "host_odd:\nmov $5, %esi\nfninit\nfld1\nfldpi\nfaddp\nfstpl 0x8000\nmovups 0x8000, %xmm1\nmovups %xmm1, 0x8010\nbswap %esi\nmov %esi, 0x8020\nhlt\n"

    ".code16\nhost_real:\nmov $0x800, %ax\nmov %ax, %ds\nmov $0x5000, %dx\nmov $4, %cx\n1: mov %cx, %ax\nout %ax, %dx\nin %dx, %ax\nmov %ax, 0\nloop 1b\nint $0x40\nmov %bx, 2\ncli\nhlt\n"
    "host_real_int: mov $0x77, %bx\niretw\n"
    "host_end:\n.code64\n.popsection\n");
extern const u8 host_blob[], host_irq0[], host_msi[], host_ticks[], host_rings[], host_loopback[], host_writes[], host_dirty[], host_rom[], host_loop[],
    host_here[], host_storm[], host_mix[], host_odd[], host_real[], host_real_int[], host_end[];

static u32 at(const u8 *label) { return BASE + (label - host_blob); }

/* --- a device that remembers --- */

static struct recorder { u64 reads, writes, last, wrong; char log[8192]; size_t len; } rec;

static void note(const char *what, u64 offset, unsigned size, u64 value)
{
    if (rec.len + 40 < sizeof rec.log)
        rec.len += sprintf(rec.log + rec.len, "%s%llx/%u=%llx ", what, (unsigned long long)offset, size, (unsigned long long)value);
}
static u64 rec_read(void *dev, u64 offset, unsigned size)
{
    u64 value = 0x40 + rec.reads++;
    note(dev, offset, size, value);
    return value;
}
static void rec_write(void *dev, u64 offset, unsigned size, u64 value)
{
    rec.wrong += value != rec.writes;
    rec.writes++;
    rec.last = value;
    note(dev, offset, size, value);
}
static const struct bus_ops rec_port = { rec_read, rec_write, 1, 4 }, rec_mmio = { rec_read, rec_write, 1, 4 },
                            rec_delayable = { rec_read, rec_write, 1, 4, .delayable = true };

static void put_gate(struct vm *vm, unsigned vector, u32 handler)
{
    u64 gate = (handler & 0xffff) | 8 << 16 | (u64)0x8e00 << 32 | (u64)(handler >> 16) << 48;
    physmap_write(&vm->map, IDT_AT + 8 * vector, &gate, sizeof gate);
}

static void load(struct vm *vm, const u8 *label)
{
    static const u64 gdt[3] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
    struct cpu_state s;
    physmap_write(&vm->map, BASE, host_blob, host_end - host_blob);
    physmap_write(&vm->map, GDT_AT, gdt, sizeof gdt);
    put_gate(vm, 0x20, at(host_irq0));
    put_gate(vm, 0x30, at(host_msi));
    state_flat32(&s, at(label), STACK_AT);
    s.gdtr = (struct dtable){ GDT_AT, sizeof gdt - 1 };
    s.idtr = (struct dtable){ IDT_AT, 0x7ff };
    s.cr4 = CR4_OSFXSR;
    s.apic_base = vm->vcpu[0]->cpu.state.apic_base;
    vm->engine->set_state(vm->vcpu[0], &s);
    memset(&rec, 0, sizeof rec);
}

static struct vm *make_as(const struct engine_ops *engine, const char *kvm, enum kernel_irqchip irqchip, const u8 *label)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.engine = engine;
    c.kvm = kvm;
    c.kernel_irqchip = irqchip;
    c.ram_size = RAM;
    c.max_seconds = 20;
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("vm_new: %s", err.text);
        return NULL;
    }
    bus_add_ports(&vm->bus, "recorder", 0x5000, 16, &rec_port, "p", &err);
    load(vm, label);
    return vm;
}
static struct vm *make(enum kernel_irqchip irqchip, const u8 *label) { return make_as(&kvm_engine, "host", irqchip, label); }

static void run_to_hlt(struct vm *vm)
{
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "halted with interrupts disabled");
}

static struct host_vm *host_of(struct vm *vm) { return vm->engine_data; }
static struct host_vcpu *vcpu_of(struct vm *vm) { return vm->vcpu[0]->engine_data; }

/* --- interrupt controllers --- */

static const char *const irqchip_names[] = { "off", "split", "on" };

static void test_ticks(void)
{
    NEEDS_KVM();
    u64 io[3];
    for (enum kernel_irqchip i = IRQCHIP_OFF; i <= IRQCHIP_ON; i++) {
        struct vm *vm = make(i, host_ticks);
        if (!vm)
            return;
        check_context("kernel_irqchip=%s", irqchip_names[i]);
        run_to_hlt(vm);
        u64 ticks = physmap_load(&vm->map, DATA_AT, 4);
        CHECK(ticks >= 20 && ticks < 40); /* a slow host may have the next one ready before CLI */
        io[i] = vm->ledger.count[EV_KVMHOST_IO];
        CHECK_EQ(vm->ledger.count[EV_KVMHOST_INJECT], i == IRQCHIP_ON ? 0 : ticks);
        CHECK_EQ(vm->ledger.count[EV_KVMHOST_HLT] > 0, i == IRQCHIP_OFF);
        vm_free(vm);
    }
    CHECK(io[IRQCHIP_OFF] >= 29);
    CHECK_EQ(io[IRQCHIP_ON], 0); /* every port that it uses is the kernel's */
}

/* After a reset of the machine the kernel's controllers are as at first: the same guest does the same again. */
static void test_chips_reset(void)
{
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_ON, host_ticks);
    struct kvm_pit_state2 pit[2];
    if (!vm)
        return;
    ioctl(host_of(vm)->vm_fd, KVM_GET_PIT2, &pit[0]);
    run_to_hlt(vm);
    ioctl(host_of(vm)->vm_fd, KVM_GET_PIT2, &pit[1]);
    CHECK(pit[0].channels[0].mode != pit[1].channels[0].mode || pit[0].channels[0].count != pit[1].channels[0].count);
    vm_reset(vm);
    ioctl(host_of(vm)->vm_fd, KVM_GET_PIT2, &pit[1]);
    CHECK_EQ(pit[1].channels[0].mode, pit[0].channels[0].mode);
    CHECK_EQ(pit[1].channels[0].count, pit[0].channels[0].count);
    vm_free(vm);
}

static void test_chips_refused(void)
{
    struct vm_config c;
    NEEDS_KVM();
    vm_config_defaults(&c);
    c.engine = &kvm_engine;
    c.kvm = "host";
    c.ram_size = RAM;
    c.kernel_irqchip = IRQCHIP_ON;
    c.smp = 2;
    CHECK(!vm_new(&c, &err));
    CHECK_CONTAINS(err.text, "-smp 1 or kernel_irqchip=off");
    c.smp = 1;
    refuse.request = KVM_CREATE_IRQCHIP;
    refuse.errnum = ENOTTY;
    CHECK(!vm_new(&c, &err));
    refuse.errnum = 0;
    CHECK_CONTAINS(err.text, "use kernel_irqchip=off");
}

/* --- shortcuts --- */

static u64 drain(int fd)
{
    u64 n = 0;
    return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

static void test_doorbell(void)
{
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_rings);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), only = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!vm)
        return;
    CHECK_EQ(shortcut_offer_doorbell(&vm->shortcuts, &(struct doorbell){ .port = true, .at = 0x5000, .size = 2, .any = true, .fd = fd }), 0);
    CHECK_EQ(shortcut_offer_doorbell(&vm->shortcuts, &(struct doorbell){ .port = true, .at = 0x5002, .size = 2, .value = 7, .fd = only }), 0);
    CHECK_EQ(host_of(vm)->taken.ndoorbells, 2);
    run_to_hlt(vm);
    CHECK_EQ(drain(fd), 100);
    CHECK_EQ(drain(only), 1);
    CHECK_EQ(rec.writes, 0);
    CHECK_EQ(vm->ledger.count[EV_KVMHOST_IO], 0);
    shortcut_withdraw(&vm->shortcuts, fd);
    CHECK_EQ(host_of(vm)->taken.ndoorbells, 1);
    load(vm, host_rings);
    vm->status = VM_RUNNING;
    run_to_hlt(vm); /* the device hears of it by itself again */
    CHECK_EQ(drain(fd), 0);
    CHECK_EQ(rec.writes, 100);
    vm_free(vm);
    close(fd);
    close(only);
}

/* The doorbell's descriptor is that of an interrupt too: from OUT to the handler nothing comes through this process. */
static void test_irqfd(void)
{
    NEEDS_KVM();
    for (enum kernel_irqchip i = IRQCHIP_OFF; i <= IRQCHIP_ON; i++) {
        struct vm *vm = make(i, host_loopback);
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (!vm)
            return;
        check_context("kernel_irqchip=%s", irqchip_names[i]);
        shortcut_offer_doorbell(&vm->shortcuts, &(struct doorbell){ .port = true, .at = 0x5000, .size = 2, .any = true, .fd = fd });
        shortcut_offer_irq(&vm->shortcuts, &(struct irq_event){ .address = 0xfee00000, .data = 0x30, .fd = fd });
        CHECK_EQ(host_of(vm)->taken.nirqs, i != IRQCHIP_OFF);
        if (i != IRQCHIP_OFF) {
            run_to_hlt(vm);
            CHECK_EQ(physmap_load(&vm->map, DATA_AT + 4, 4), 10);
            CHECK_EQ(vm->ledger.count[EV_KVMHOST_IO] + vm->ledger.count[EV_KVMHOST_INJECT] + vm->ledger.count[EV_KVMHOST_MMIO], 0);
        }
        shortcut_withdraw(&vm->shortcuts, fd);
        CHECK_EQ(host_of(vm)->taken.nirqs, 0);
        vm_free(vm);
        close(fd);
    }
}

/* --- memory --- */

static void test_coalesced(void)
{
    NEEDS_KVM();
    for (int delayable = 0; delayable < 2; delayable++) {
        struct vm *vm = make(IRQCHIP_OFF, host_writes);
        if (!vm)
            return;
        check_context("%s", delayable ? "delayable" : "not delayable");
        bus_add_mmio(&vm->bus, "recorder", MMIO_AT, PAGE_SIZE, delayable ? &rec_delayable : &rec_mmio, "m", &err);
        run_to_hlt(vm);
        CHECK_EQ(rec.writes, 1000);
        CHECK_EQ(rec.last, 1);  /* in order, and all of them before the read */
        CHECK_CONTAINS(rec.log, "m10/4=3e8 m10/4=3e7 ");
        if (host_can(host_of(vm), HOST_COALESCED_MMIO)) {
            CHECK_EQ(host_of(vm)->coalesced > 900, delayable);
            CHECK_EQ(vm->ledger.count[EV_KVMHOST_MMIO] < 100, delayable);
        }
        vm_free(vm);
    }
}

static struct { unsigned n; gpa_t gpa[8]; } heard;
static void on_written(void *opaque, gpa_t gpa, u64 len)
{
    if (heard.n < ARRAY_LEN(heard.gpa))
        heard.gpa[heard.n++] = gpa & PAGE_MASK;
}

static void test_dirty(void)
{
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_dirty);
    if (!vm)
        return;
    struct phys_observer o = { .marks = MARK_DIRTY_LOG, .written = on_written };
    memset(&heard, 0, sizeof heard);
    physmap_observe(&vm->map, &o);
    physmap_mark(&vm->map, 0x9000, MARK_DIRTY_LOG);
    physmap_mark(&vm->map, 0xa000, MARK_DIRTY_LOG);
    run_to_hlt(vm);
    CHECK_EQ(heard.n, 1); /* A000h was not written, B000h is not watched */
    CHECK_EQ(heard.gpa[0], 0x9000);
    CHECK(host_of(vm)->dirty_pages >= 3);
    physmap_unobserve(&vm->map, &o);
    vm_free(vm);
}

static void test_rom(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_rom);
    if (!vm)
        return;
    u8 *rom = physmap_add_rom(&vm->map, "rom", ROM_AT, PAGE_SIZE, &err);
    memcpy(rom, "\x78\x56\x34\x12", 4);
    run_to_hlt(vm);
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.gpr[RAX], 0x12345678);
    CHECK_EQ(s.gpr[RBX], 0x12345678);
    vm_free(vm);
}

/* A change of the map touches only the slots that it changes. */
static void test_slots(void)
{
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_dirty);
    if (!vm)
        return;
    struct host_slot before[HOST_MAX_SLOTS];
    memcpy(before, host_of(vm)->slot, sizeof before);
    bus_add_mmio(&vm->bus, "hole", 0x200000, PAGE_SIZE, &rec_mmio, "m", &err);
    CHECK_EQ(host_set_slots(host_of(vm), &vm->map, &err), 0);
    unsigned same = 0, used = 0, now = 0;
    for (unsigned i = 0; i < HOST_MAX_SLOTS; i++) {
        used += before[i].size != 0;
        now += host_of(vm)->slot[i].size != 0;
        same += before[i].size && memcmp(&before[i], &host_of(vm)->slot[i], sizeof before[i]) == 0;
    }
    CHECK_EQ(same, used - 1);   /* the memory with the hole in it */
    CHECK_EQ(now, used + 1);
    vm_free(vm);
}

/* --- debugger --- */

static void test_breakpoints(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_loop);
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
    struct vm *vm = make(IRQCHIP_OFF, host_storm);
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

/* --- a device node that is none, forbidden, busy, broken --- */

static void fails_with(const char *path, const char *says)
{
    struct vm_config c;
    char why[200];
    setenv(HOST_DEVICE_VARIABLE, path, 1);
    check_context("%s", path);
    vm_config_defaults(&c);
    c.engine = &kvm_engine;
    c.kvm = "host";
    c.ram_size = RAM;
    CHECK(!vm_new(&c, &err));
    CHECK_CONTAINS(err.text, says);
    CHECK_CONTAINS(err.text, "--kvm=model");
    CHECK(kvm_choose(NULL, why, sizeof why, &err) == &kvm_model_backend); /* by itself, and saying why */
    CHECK_CONTAINS(why, says);
    unsetenv(HOST_DEVICE_VARIABLE);
}

static void test_device(void)
{
    char file[] = "/tmp/emu-kvm-XXXXXX";
    close(mkstemp(file));
    fails_with("/dev/no-such-device", "is not there");
    fails_with(file, "does not answer as KVM does");
    fails_with("/dev/null", "does not answer as KVM does");
    chmod(file, 0);
    pid_t child = fork();
    if (child == 0) { /* root may do everything */
        if (setuid(65534))
            _exit(3);
        fails_with(file, "join the group kvm");
        _exit(!strstr(err.text, "model") && !strstr(err.text, "group kvm"));
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQ(status, 0);
    unlink(file);
}

static void refused_call(unsigned long request, int errnum, const char *says)
{
    refuse.request = request;
    refuse.errnum = errnum;
    fails_with(HOST_DEVICE, says);
    refuse.errnum = 0;
}

static void test_broken(void)
{
    NEEDS_KVM();
    refused_call(KVM_CREATE_VM, EBUSY, "another hypervisor");
    refused_call(KVM_CREATE_VM, EIO, "does not work");
    refused_call(KVM_CREATE_VCPU, ENOMEM, "does not work");
    refused_call(KVM_RUN, EFAULT, "does not work");
}

/* State that KVM does not take is no state to run with. */
static void test_bad_state(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_loop);
    if (!vm)
        return;
    refuse.request = KVM_SET_SREGS;
    refuse.errnum = EINVAL;
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    refuse.errnum = 0;
    CHECK_CONTAINS(vm->reason, "does not take the processor's state");
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.rip, at(host_loop));
    vm_free(vm);
}

/* --- instructions that KVM refuses --- */

/* The interpreter goes on with whatever KVM gives back, wherever it gives up: between two exits, behind an I/O exit that is not complete. */
static void test_refused_instructions(void)
{
    NEEDS_KVM();
    for (unsigned after = 0; after < 12; after++) {
        struct cpu_state end[2];
        static char log[2][sizeof rec.log];
        for (int gives_up = 0; gives_up < 2; gives_up++) {
            struct vm *vm = make(IRQCHIP_OFF, host_mix);
            if (!vm)
                return;
            check_context("after %u entries", after);
            bus_add_mmio(&vm->bus, "recorder", MMIO_AT, PAGE_SIZE, &rec_mmio, "m", &err);
            give_up.run = gives_up ? vcpu_of(vm)->run : NULL;
            give_up.left = after;
            run_to_hlt(vm);
            give_up.run = NULL;
            vm->engine->get_state(vm->vcpu[0], &end[gives_up]);
            memcpy(log[gives_up], rec.log, sizeof rec.log);
            if (gives_up) {
                CHECK(vcpu_of(vm)->interpreted > 0);
                CHECK_EQ(vm->ledger.count[EV_KVMHOST_INTERPRETED], vcpu_of(vm)->interpreted);
            }
            vm_free(vm);
        }
        CHECK_STR(log[1], log[0]);
        CHECK_EQ(end[1].rip, end[0].rip);
        for (unsigned i = 0; i < 8; i++)
            CHECK_EQ(end[1].gpr[i], end[0].gpr[i]);
    }
}

/* --- kicks --- */

static struct { struct vcpu *v; atomic_bool stop; u64 kicks; } storm;

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

/* Every number comes once and in order, however often KVM_RUN is called back. */
static void test_kick_storm(void)
{
    pthread_t thread;
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_storm);
    if (!vm)
        return;
    storm.v = vm->vcpu[0];
    storm.stop = false;
    storm.kicks = 0;
    pthread_create(&thread, NULL, kick_all_the_time, NULL);
    run_to_hlt(vm);
    storm.stop = true;
    pthread_join(thread, NULL);
    check_context("%llu kicks, %llu signals", (unsigned long long)storm.kicks, (unsigned long long)vm->ledger.count[EV_KVMHOST_SIGNAL]);
    CHECK_EQ(rec.writes, 20000);
    CHECK_EQ(rec.wrong, 0);
    CHECK(storm.kicks > 20);
    vm_free(vm);
}

/* An interrupt that KVM has taken but not delivered, because it was called back before, reaches the guest though the state moves. */
static void test_taken_interrupt(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make(IRQCHIP_OFF, host_loop);
    if (!vm)
        return;
    struct host_vcpu *h = vcpu_of(vm);
    vm->engine->get_state(vm->vcpu[0], &s);
    s.rflags |= FLAG_IF;
    vm->engine->set_state(vm->vcpu[0], &s);
    CHECK_EQ(host_push(h), 0);
    h->run->immediate_exit = 1;
    CHECK(ioctl(h->fd, KVM_RUN, 0) < 0 && errno == EINTR);
    h->run->immediate_exit = 0;
    CHECK_EQ(ioctl(h->fd, KVM_INTERRUPT, &(struct kvm_interrupt){ .irq = 0x20 }), 0);
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.rip, at(host_irq0));
    CHECK_EQ(physmap_load(&vm->map, s.gpr[RSP], 4), at(host_loop));
    CHECK(!(s.rflags & FLAG_IF));
    vm_free(vm);
}

/* --- agreement with the model --- */

/* The recorder's log, in the end the state. */
static u64 exits_of(struct vm *vm, bool host, unsigned reason, enum event event)
{
    const struct kvm_vcpu *k = vm->vcpu[0]->engine_data;
    return host ? vm->ledger.count[event] : k->vmx.exits[reason];
}

static void agree(const char *name, const u8 *label, bool real)
{
    static struct recorder log[2];
    struct cpu_state end[2];
    struct vm *vm[2];
    for (int host = 0; host < 2; host++) {
        vm[host] = make_as(&kvm_engine, host ? "host" : "model", IRQCHIP_OFF, label);
        if (!vm[host])
            return;
        bus_add_mmio(&vm[host]->bus, "recorder", MMIO_AT, PAGE_SIZE, &rec_mmio, "m", &err);
        if (real) {
            struct cpu_state s;
            u32 ivt = REAL_AT + (host_real_int - host_real);
            state_reset(&s);
            s.seg[CS].selector = s.seg[CS].base = 0;
            s.rip = REAL_AT;
            s.gpr[RSP] = STACK_AT;
            physmap_write(&vm[host]->map, REAL_AT, host_real, host_end - host_real);
            physmap_write(&vm[host]->map, 4 * 0x40, &ivt, 4);
            vm[host]->engine->set_state(vm[host]->vcpu[0], &s);
        }
        check_context("%s on %s", name, host ? "host" : "model");
        run_to_hlt(vm[host]);
        log[host] = rec;
        vm[host]->engine->get_state(vm[host]->vcpu[0], &end[host]);
    }
    check_context("%s", name);
    CHECK_STR(log[1].log, log[0].log);
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(end[1].gpr[i], end[0].gpr[i]);
    CHECK_EQ(end[1].rip, end[0].rip);
    CHECK_EQ(end[1].rflags & ~(u64)FLAG_RF, end[0].rflags & ~(u64)FLAG_RF);
    for (gpa_t gpa = DATA_AT; gpa < DATA_AT + PAGE_SIZE; gpa += 4)
        CHECK_EQ(physmap_load(&vm[1]->map, gpa, 4), physmap_load(&vm[0]->map, gpa, 4));
    CHECK_EQ(exits_of(vm[1], true, 12, EV_KVMHOST_HLT), exits_of(vm[0], false, 12, 0));
    vm_free(vm[0]);
    vm_free(vm[1]);
}

static void test_agreement(void)
{
    NEEDS_KVM();
    agree("ports and memory", host_mix, false);
    agree("x87, SSE and what is rare", host_odd, false);
    agree("a storm of ports", host_storm, false);
    agree("real mode", host_real, true);
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
    struct vm *vm = make(i % 3, i % 2 ? host_dirty : host_mix);
    if (!vm)
        return false;
    if (i % 4 == 0)
        vm_run(vm);
    vm_free(vm);
    return true;
}

static void test_leaks(void)
{
    NEEDS_KVM();
    unsigned n = getenv("EMU_SOAK") ? 10000 : 120;
    for (unsigned i = 0; i < 24; i++) /* what is made once */
        cycle(i);
    unsigned files = open_files();
    u64 pages = resident_pages();
    for (unsigned i = 0; i < n; i++)
        if (!cycle(i))
            return;
    CHECK_EQ(open_files(), files);
    u64 now = resident_pages();
    check_context("%llu pages before, %llu behind %u machines", (unsigned long long)pages, (unsigned long long)now, n);
    CHECK(now < pages + 256);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "ticks", test_ticks }, { "chips_reset", test_chips_reset }, { "chips_refused", test_chips_refused }, { "doorbell", test_doorbell },
        { "irqfd", test_irqfd }, { "coalesced", test_coalesced }, { "dirty", test_dirty }, { "rom", test_rom }, { "slots", test_slots },
        { "breakpoints", test_breakpoints }, { "stats", test_stats }, { "params", test_params }, { "device", test_device }, { "broken", test_broken },
        { "bad_state", test_bad_state }, { "refused_instructions", test_refused_instructions }, { "kick_storm", test_kick_storm }, { "taken_interrupt", test_taken_interrupt }, { "agreement", test_agreement },
        { "leaks", test_leaks },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm host", tests);
}
