/* SPDX-License-Identifier: MIT */
/* Interrupt controllers here and in the kernel, and the shortcuts past this process: doorbells and interrupts by event descriptor. */
#include <sys/eventfd.h>

#include "kvm_host.h"

GUEST_CODE(
    /* vector 20h: the 8259A's line 0. 30h: a message, whose end the local APIC is told */
    "host_irq0:\nincl 0x8000\npush %eax\nmov $0x20, %al\nout %al, $0x20\npop %eax\niret\n"
    "host_msi:\nincl 0x8004\nmovl $0, 0xfee000b0\niret\n"

    /* twenty ticks of the PIT, 1 kHz */
    "host_ticks:\nmov $0x11, %al\nout %al, $0x20\nmov $0x20, %al\nout %al, $0x21\nmov $4, %al\nout %al, $0x21\nmov $1, %al\nout %al, $0x21\n"
    "mov $0xfe, %al\nout %al, $0x21\nmov $0x34, %al\nout %al, $0x43\nmov $0xa9, %al\nout %al, $0x40\nmov $0x04, %al\nout %al, $0x40\n"
    "1: sti\nhlt\ncli\ncmpl $20, 0x8000\njb 1b\nmov $0xff, %al\nout %al, $0x21\nhlt\n"

    /* a hundred rings of a doorbell */
    "host_rings:\nmov $100, %ecx\nmov $0x5000, %edx\n1: mov %ecx, %eax\nout %ax, %dx\nloop 1b\nmov $7, %ax\nadd $2, %edx\nout %ax, %dx\nhlt\n"

/* rings ten times, and spins until each is heard: there is no exit on the way */
    "host_heard:\nmov $0x5000, %edx\nxor %ebx, %ebx\n1: mov 0x8008, %ecx\nout %ax, %dx\n2: cmp %ecx, 0x8008\nje 2b\ninc %ebx\ncmp $10, %ebx\njb 1b\nout %ax, %dx\nhlt\n"

    /* rings until its own interrupt has come ten times */
    "host_loopback:\nmovl $0x1ff, 0xfee000f0\nsti\nmov $0x5000, %edx\n1: mov 0x8004, %ecx\nout %ax, %dx\n2: cmp %ecx, 0x8004\nje 2b\n"
    "cmpl $10, 0x8004\njb 1b\ncli\nhlt\n"

    "host_loop:\nmov $5, %ecx\n1: inc %eax\nhost_here: inc %ebx\nloop 1b\nhlt\n");
extern const u8 host_irq0[], host_msi[], host_ticks[], host_rings[], host_loopback[], host_loop[], host_heard[];

static const char *const irqchip_names[] = { "off", "split", "on" };

static struct vm *make_irq(enum kernel_irqchip irqchip, const u8 *label)
{
    struct vm *vm = make_with(irqchip, label);
    if (vm) {
        put_gate(vm, 0x20, at(host_irq0));
        put_gate(vm, 0x30, at(host_msi));
    }
    return vm;
}

/* --- interrupt controllers --- */

static void test_ticks(void)
{
    NEEDS_KVM();
    u64 io[3];
    for (enum kernel_irqchip i = IRQCHIP_OFF; i <= IRQCHIP_ON; i++) {
        struct vm *vm = make_irq(i, host_ticks);
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
    struct vm *vm = make_irq(IRQCHIP_ON, host_ticks);
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

/* --- shortcuts --- */

static u64 drain(int fd)
{
    u64 n = 0;
    return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

static void test_doorbell(void)
{
    NEEDS_KVM();
    struct vm *vm = make_irq(IRQCHIP_OFF, host_rings);
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

static void on_rung(void *opaque)
{
    struct vm *vm = opaque;
    physmap_store(&vm->map, DATA_AT + 8, 4, physmap_load(&vm->map, DATA_AT + 8, 4) + 1);
}

/* A device of this process hears of its doorbell while the guest runs on, and of the last one though the guest halts. */
static void test_heard(void)
{
    NEEDS_KVM();
    for (enum kernel_irqchip i = IRQCHIP_OFF; i <= IRQCHIP_ON; i++) {
        struct vm *vm = make_irq(i, host_heard);
        int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (!vm)
            return;
        check_context("kernel_irqchip=%s", irqchip_names[i]);
        shortcut_offer_doorbell(&vm->shortcuts, &(struct doorbell){ .port = true, .at = 0x5000, .size = 2, .any = true, .fd = fd, .rung = on_rung, .opaque = vm });
        CHECK_EQ(host_of(vm)->taken.ndoorbells, 1);
        run_to_hlt(vm);
        CHECK_EQ(vm->ledger.count[EV_KVMHOST_IO], 0);
        CHECK(vm->ledger.count[EV_KVMHOST_DOORBELL] >= 10);
        host_bells_serve(host_of(vm)); /* a HLT that the kernel has may be over before the last is heard */
        CHECK_EQ(physmap_load(&vm->map, DATA_AT + 8, 4), 11);
        vm_free(vm);
        close(fd);
    }
}

/* The doorbell's descriptor is that of an interrupt too: from OUT to the handler nothing comes through this process. */
static void test_irqfd(void)
{
    NEEDS_KVM();
    for (enum kernel_irqchip i = IRQCHIP_OFF; i <= IRQCHIP_ON; i++) {
        struct vm *vm = make_irq(i, host_loopback);
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

/* An interrupt that KVM has taken but not delivered, because it was called back before, reaches the guest though the state moves. */
static void test_taken_interrupt(void)
{
    struct cpu_state s;
    NEEDS_KVM();
    struct vm *vm = make_irq(IRQCHIP_OFF, host_loop);
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

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "ticks", test_ticks }, { "chips_reset", test_chips_reset }, { "doorbell", test_doorbell },
        { "heard", test_heard }, { "irqfd", test_irqfd }, { "taken_interrupt", test_taken_interrupt },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm host irq", tests);
}
