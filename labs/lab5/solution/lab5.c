/* SPDX-License-Identifier: MIT */
/* Lab 5: a monitor on KVM's API. handout.md says what is to be done. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lab5.h"

/*** begin solution ***/
enum { TSS_ADDRESS = 0xfffbd000 /* three pages that Intel's processors want for themselves in real mode */, GOES_ON = 256 };

struct vmm { int kvm, vm, vcpu; struct kvm_run *run; };

/* --- the machine --- */

static int add_memory(struct vmm *v, unsigned slot, uint32_t gpa, uint32_t size, unsigned char **memory)
{
    *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*memory == MAP_FAILED)
        return -1;
    struct kvm_userspace_memory_region r = { .slot = slot, .guest_phys_addr = gpa, .memory_size = size, .userspace_addr = (uintptr_t)*memory };
    return ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &r);
}

static int make_machine(struct vmm *v, const struct guest *g)
{
    unsigned char *low, *high;
    v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (v->kvm < 0 || ioctl(v->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
        return -1;
    v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
    if (v->vm < 0 || ioctl(v->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0 || add_memory(v, 0, 0, g->memory, &low) < 0)
        return -1;
    if (g->high && add_memory(v, 1, HIGH_GPA, g->high, &high) < 0)
        return -1;
    memcpy(low + LOAD_GPA, g->code, g->size);
    return 0;
}

static void make_flat(struct kvm_sregs *s)
{
    struct kvm_segment data = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1 };
    s->cs = data;
    s->cs.selector = 8;
    s->cs.type = 11;
    s->ds = s->es = s->fs = s->gs = s->ss = data;
    s->cr0 |= 1;
}

static int make_vcpu(struct vmm *v, const struct guest *g)
{
    struct kvm_regs r = { .rip = LOAD_GPA, .rsp = STACK, .rflags = 2 };
    struct kvm_sregs s;
    int size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    v->vcpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
    if (size < 0 || v->vcpu < 0 || ioctl(v->vcpu, KVM_GET_SREGS, &s) < 0)
        return -1;
    v->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
    s.cs.base = s.cs.selector = 0;
    if (g->flat)
        make_flat(&s);
    return v->run == MAP_FAILED || ioctl(v->vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(v->vcpu, KVM_SET_REGS, &r) < 0 ? -1 : 0;
}

/* --- exits: what the machine ends with, or GOES_ON --- */

static int on_io(struct vmm *v)
{
    unsigned char *data = (unsigned char *)v->run + v->run->io.data_offset;
    unsigned size = v->run->io.size;
    for (unsigned i = 0; i < v->run->io.count; i++, data += size) {
        uint32_t value = 0;
        if (v->run->io.direction == KVM_EXIT_IO_IN) {
            value = port_read(v->run->io.port, size);
            memcpy(data, &value, size);
            continue;
        }
        memcpy(&value, data, size);
        if (v->run->io.port == EXIT_PORT)
            return value & 0xff;
        port_write(v->run->io.port, size, value);
    }
    return GOES_ON;
}

static int on_mmio(struct vmm *v)
{
    uint64_t value = 0;
    if (v->run->mmio.is_write) {
        memcpy(&value, v->run->mmio.data, v->run->mmio.len);
        mmio_write(v->run->mmio.phys_addr, v->run->mmio.len, value);
    } else {
        value = mmio_read(v->run->mmio.phys_addr, v->run->mmio.len);
        memcpy(v->run->mmio.data, &value, v->run->mmio.len);
    }
    return GOES_ON;
}

static int on_exit(struct vmm *v)
{
    switch (v->run->exit_reason) {
    case KVM_EXIT_IO: return on_io(v);
    case KVM_EXIT_MMIO: return on_mmio(v);
    case KVM_EXIT_IRQ_WINDOW_OPEN: return GOES_ON;
    case KVM_EXIT_HLT: return interrupt_pending() >= 0 && v->run->if_flag ? GOES_ON : 0;
    case KVM_EXIT_SHUTDOWN: return VMM_SHUTDOWN;
    }
    printf("exit reason %u\n", v->run->exit_reason);
    return VMM_ERROR;
}

/* KVM takes an interrupt only when the guest does; otherwise it is asked to come back then. */
static int prepare_interrupt(struct vmm *v)
{
    struct kvm_interrupt i = { .irq = interrupt_pending() };
    if (interrupt_pending() >= 0 && v->run->ready_for_interrupt_injection) {
        if (ioctl(v->vcpu, KVM_INTERRUPT, &i) < 0)
            return -1;
        interrupt_taken();
        v->run->ready_for_interrupt_injection = 0;
    }
    v->run->request_interrupt_window = interrupt_pending() >= 0;
    return 0;
}

static int run(struct vmm *v)
{
    int end;
    do {
        if (prepare_interrupt(v) < 0)
            return VMM_ERROR;
        if (ioctl(v->vcpu, KVM_RUN, 0) < 0)
            end = errno == EINTR ? GOES_ON : VMM_ERROR;
        else
            end = on_exit(v);
    } while (end == GOES_ON);
    return end;
}
/*** instead ***
*** end solution ***/

int vmm_run(const struct guest *g)
{
    /*** begin solution ***/
    struct vmm v;
    if (make_machine(&v, g) < 0 || make_vcpu(&v, g) < 0) {
        perror("KVM");
        return VMM_ERROR;
    }
    return run(&v);
    /*** instead ***
    (void)g; // your code here
    int kvm = open("/dev/kvm", O_RDWR);
    printf("KVM's version is %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0));
    return VMM_ERROR;
    *** end solution ***/
}
