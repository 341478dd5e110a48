/* SPDX-License-Identifier: MIT */
/* Lab 5's /dev/kvm without a submission: requests as a guest of the grader makes them, and what a machine behind it does. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "check.h"
#include "cli/grade/grade_service.h"
#include "lockstep.h"
#include "machine/bare.h"

enum { OP_OPEN, OP_IOCTL, OP_MMAP, FD_KVM = 3, FD_VM, FD_VCPU };
/* In the asking guest's memory. */
enum { REQUEST = 0x100000, ARGUMENT = 0x101000, SHARED = 0x102000, MEMORY = 0x200000, MEMORY_SIZE = 0x10000, CODE = 0x1000 };

static struct vm *asker;
static struct service *service;

static s32 ask(u32 op, s32 fd, u64 number, u64 arg)
{
    struct service_request r = { op, fd, number, arg, 0, 0, 0 };
    physmap_write(&asker->map, REQUEST, &r, sizeof r);
    vm_io_write(asker, SERVICE_PORT, 4, REQUEST);
    physmap_read(&asker->map, REQUEST, &r, sizeof r);
    return r.result;
}

static s32 ask_with(s32 fd, u64 number, void *data, unsigned size)
{
    physmap_write(&asker->map, ARGUMENT, data, size);
    s32 result = ask(OP_IOCTL, fd, number, ARGUMENT);
    physmap_read(&asker->map, ARGUMENT, data, size);
    return result;
}

static struct kvm_run *run_area(void) { return (struct kvm_run *)physmap_ptr(&asker->map, SHARED, 3 * 4096); }

/* A machine of 64 KiB in real mode, that stands at 0:CODE. */
static bool begin(const void *code, unsigned size)
{
    struct error err;
    struct kvm_userspace_memory_region memory = { .memory_size = MEMORY_SIZE, .userspace_addr = MEMORY };
    struct kvm_regs regs = { .rip = CODE, .rsp = 0x8000, .rflags = 2 };
    struct kvm_sregs sregs;
    asker = lockstep_machine(&bare_engine, false);
    service = service_new(&service_kvm, 100000000, &err);
    if (!CHECK(asker && service) || !CHECK_EQ(service_attach(service, asker, &err), 0))
        return false;
    asker->status = VM_RUNNING;
    CHECK_EQ(ask(OP_IOCTL, FD_KVM, KVM_CREATE_VM, 0), FD_VM);
    CHECK_EQ(ask_with(FD_VM, KVM_SET_USER_MEMORY_REGION, &memory, sizeof memory), 0);
    CHECK_EQ(ask(OP_IOCTL, FD_VM, KVM_CREATE_VCPU, 0), FD_VCPU);
    CHECK_EQ(ask(OP_MMAP, FD_VCPU, 3 * 4096, SHARED), 0);
    CHECK_EQ(ask_with(FD_VCPU, KVM_GET_SREGS, &sregs, sizeof sregs), 0);
    sregs.cs.base = sregs.cs.selector = 0;
    CHECK_EQ(ask_with(FD_VCPU, KVM_SET_SREGS, &sregs, sizeof sregs), 0);
    physmap_write(&asker->map, MEMORY + CODE, code, size);
    return CHECK_EQ(ask_with(FD_VCPU, KVM_SET_REGS, &regs, sizeof regs), 0);
}

static void end(void)
{
    service_free(service);
    vm_free(asker);
}

/* Traps behind each iteration leave a REP OUTSB in the middle; the handler, at its 3900th call, puts out four bytes at once. */
static void test_string_left_in_the_middle(void)
{
    static const u8 code[] = {
        0xc7, 0x06, 0x04, 0x00, 0x00, 0x11,     /* mov word [4], 1100h: the vector of #DB */
        0xc7, 0x06, 0x06, 0x00, 0x00, 0x00,     /* mov word [6], 0 */
        0xbe, 0x00, 0x20,                       /* mov si, 2000h */
        0xb9, 0xa0, 0x0f,                       /* mov cx, 4000 */
        0xba, 0x10, 0x00,                       /* mov dx, 10h */
        0x68, 0x02, 0x01, 0x9d,                 /* push 102h; popf */
        0xf3, 0x6e,                             /* rep outsb */
        0x6a, 0x02, 0x9d,                       /* push 2; popf */
        0xf4,                                   /* hlt */
    }, handler[] = {
        0xff, 0x06, 0x00, 0x06,                 /* inc word [600h] */
        0x81, 0x3e, 0x00, 0x06, 0x3c, 0x0f,     /* cmp word [600h], 3900 */
        0x75, 0x0d,                             /* jne out */
        0x52, 0xba, 0x20, 0x00,                 /* push dx; mov dx, 20h */
        0x66, 0xb8, 0x78, 0x56, 0x34, 0x12,     /* mov eax, 12345678h */
        0x66, 0xef, 0x5a,                       /* out dx, eax; pop dx */
        0xcf,                                   /* out: iret */
    };
    u8 items[4000];
    unsigned n = 0, at_four = 0, fours = 0;
    for (unsigned i = 0; i < sizeof items; i++)
        items[i] = i * 7 + i / 256;
    if (!begin(code, sizeof code))
        return;
    physmap_write(&asker->map, MEMORY + 0x1100, handler, sizeof handler);
    physmap_write(&asker->map, MEMORY + 0x2000, items, sizeof items);
    const struct kvm_run *r = run_area();
    for (unsigned exits = 0; exits < 9000 && CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0) && r->exit_reason == KVM_EXIT_IO; exits++) {
        const u8 *data = (const u8 *)r + r->io.data_offset;
        if (r->io.port == 0x10 && CHECK_EQ(r->io.size, 1) && CHECK(n + r->io.count <= sizeof items)) {
            CHECK(memcmp(data, items + n, r->io.count) == 0);
            n += r->io.count;
        } else if (r->io.port == 0x20) {
            CHECK_EQ(r->io.size, 4);
            CHECK_EQ(r->io.count, 1);
            CHECK(memcmp(data, "\x78\x56\x34\x12", 4) == 0);
            at_four = n;
            fours++;
        }
    }
    CHECK_EQ(r->exit_reason, KVM_EXIT_HLT);
    CHECK_EQ(n, 4000);
    CHECK_EQ(fours, 1);
    CHECK(at_four >= 3890 && at_four <= 3900);
    end();
}

/* The monitor asks for a window while interrupts are off: other exits come as ever, and it is told behind the instruction behind STI, once. */
static void test_window(void)
{
    static const u8 code[] = {
        0xfa, 0xe6, 0x40, 0xe6, 0x41,           /* cli; out 40h, al; out 41h, al */
        0x90, 0xfb, 0x90, 0x90, 0x90,           /* nop; sti; nop; nop; nop */
        0xe6, 0x42, 0xfa, 0xf4,                 /* out 42h, al; cli; hlt */
    };
    static const struct { u32 reason; u16 port, rip; bool open; } expected[] = {
        { KVM_EXIT_IO, 0x40, 3, false }, { KVM_EXIT_IO, 0x41, 5, false }, { KVM_EXIT_IRQ_WINDOW_OPEN, 0, 8, true }, { KVM_EXIT_IO, 0x42, 12, true },
        { KVM_EXIT_HLT, 0, 14, false },
    };
    struct kvm_regs regs;
    if (!begin(code, sizeof code))
        return;
    struct kvm_run *r = run_area();
    for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
        check_context("exit %u", i);
        r->request_interrupt_window = i >= 1 && i < 3;
        CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0);
        CHECK_EQ(r->exit_reason, expected[i].reason);
        CHECK(r->exit_reason != KVM_EXIT_IO || r->io.port == expected[i].port);
        CHECK_EQ(r->ready_for_interrupt_injection, expected[i].open);
        CHECK_EQ(ask_with(FD_VCPU, KVM_GET_REGS, &regs, sizeof regs), 0);
        CHECK_EQ(regs.rip, CODE + expected[i].rip);
    }
    check_context(NULL);
    CHECK_EQ(service->ledger->count[EV_KVM_INTR_WINDOW], 1);
    CHECK_EQ(service->ledger->count[EV_KVM_INJECT], 0);
    end();
}

static s32 set_slot(u32 slot, u64 gpa, u64 size, u64 user)
{
    struct kvm_userspace_memory_region r = { .slot = slot, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = user };
    return ask_with(FD_VM, KVM_SET_USER_MEMORY_REGION, &r, sizeof r);
}

/* A slot that fills the gap between two others to the byte, and goes again. */
static void test_slots(void)
{
    static const u8 code[] = { 0xa1, 0x00, 0xa0, 0xe7, 0x40, 0xeb, 0xf9 };   /* mov ax, [a000h]; out 40h, ax; over again */
    enum { SECOND = MEMORY + MEMORY_SIZE };
    if (!begin(code, sizeof code))
        return;
    const struct kvm_run *r = run_area();
    CHECK_EQ(set_slot(0, 0, 0, MEMORY), 0);
    CHECK_EQ(set_slot(0, 0, 0xa000, MEMORY), 0);
    CHECK_EQ(set_slot(1, 0xc000, 0x4000, MEMORY + 0xc000), 0);
    physmap_store(&asker->map, SECOND, 2, 0x1234);
    for (unsigned i = 0; i < 3; i++) {
        check_context("round %u", i);
        CHECK_EQ(set_slot(2, 0xa000, 0x2000, SECOND), 0);
        CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0);
        CHECK_EQ(r->exit_reason, KVM_EXIT_IO);
        CHECK(memcmp((const u8 *)r + r->io.data_offset, "\x34\x12", 2) == 0);
        CHECK_EQ(set_slot(2, 0, 0, SECOND), 0);
        CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0);
        CHECK_EQ(r->exit_reason, KVM_EXIT_MMIO);
        CHECK_EQ(r->mmio.phys_addr, 0xa000);
        CHECK_EQ(set_slot(2, 0xa000, 0x2000, SECOND), -EBUSY);
        CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0);
        CHECK_EQ(r->exit_reason, KVM_EXIT_IO);
    }
    check_context(NULL);
    static const struct mmio_ops nothing;
    CHECK_EQ(physmap_add_mmio(&asker->map, "laid over", MEMORY + 0xd000, 0x1000, &nothing, NULL, &(struct error){ "" }), 0);
    CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0);
    CHECK_EQ(ask(OP_IOCTL, FD_VCPU, KVM_RUN, 0), 0);
    CHECK_EQ(r->exit_reason, KVM_EXIT_IO);
    CHECK_EQ(set_slot(2, 0x9000, 0x2000, SECOND), -EEXIST);
    CHECK_EQ(set_slot(2, 0x20000, 0x2000, MEMORY + 0x9000), -EINVAL);   /* one memory in two slots would need to be one */
    end();
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "string-left-in-the-middle", test_string_left_in_the_middle }, { "window", test_window }, { "slots", test_slots }, { NULL, NULL } };
    return check_main(argc, argv, "lab 5's KVM", tests);
}
