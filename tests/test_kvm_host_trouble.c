/* SPDX-License-Identifier: MIT */
/* A /dev/kvm that is none, that refuses, that breaks. ioctl() is the test's own and passes calls on: so such a host can be had anywhere. */
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kvm_host.h"

GUEST_CODE(
    "host_loop:\nmov $5, %ecx\n1: inc %eax\nhost_here: inc %ebx\nloop 1b\nhlt\n"

    /* what both backends must make the same exits of */
    "host_mix:\nmov $0x5000, %edx\nmov $3, %ecx\n1: mov %ecx, %eax\nout %eax, %dx\nin %dx, %al\nmov %eax, 0xd0000020\npush %ecx\nxor %eax, %eax\ncpuid\npop %ecx\nloop 1b\n"
    "mov $0x5004, %edx\nmov $0x8100, %edi\nmov $5, %ecx\ncld\nrep insb\nmov $0x8100, %esi\nmov $5, %ecx\nrep outsb\nmovzbl 0xd0000003, %ebx\n"
    "movw $0x1234, 0xd0000042\nincl 0xd0000040\nxor %edx, %edx\nhlt\n");
extern const u8 host_loop[], host_mix[];

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

static void test_chips_refused(void)
{
    NEEDS_KVM();
    struct vm_config c = config_of("host");
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

/* --- a device node that is none, forbidden, busy, broken --- */

static void fails_with(const char *path, const char *says)
{
    struct vm_config c = config_of("host");
    char why[200];
    setenv(HOST_DEVICE_VARIABLE, path, 1);
    check_context("%s", path);
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
    struct vm *vm = make(host_loop);
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
            struct vm *vm = make(host_mix);
            if (!vm)
                return;
            check_context("after %u entries", after);
            add_mmio(vm);
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

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "chips_refused", test_chips_refused }, { "device", test_device }, { "broken", test_broken },
        { "bad_state", test_bad_state }, { "refused_instructions", test_refused_instructions },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm host trouble", tests);
}
