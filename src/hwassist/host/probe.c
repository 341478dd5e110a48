/* SPDX-License-Identifier: MIT */
/*
 * Does it work, and is it hardware? By doing: a loop of kernel-mode guest instructions that needs no exit runs at the
 * processor's speed where hardware assist is real, and a thousand times slower where the kernel emulates each one.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hwassist/host/host.h"

#define ITERATIONS 5000
#define MEMORY 0x10000
#define CODE_AT 0x1000
#define PAGING_CODE_AT 0x1100
#define DIRECTORY_AT 0x2000

/* mov ecx, ITERATIONS; 1: dec ecx; jnz 1b; hlt */
static const u8 loop_code[] = { 0xb9, ITERATIONS & 0xff, ITERATIONS >> 8, 0, 0, 0x49, 0x75, 0xfd, 0xf4 };
/* mov cr0, eax; nop; hlt */
static const u8 paging_code[] = { 0x0f, 0x22, 0xc0, 0x90, 0xf4 };
static const u32 directory_entry = 0x83; /* the first 4 MiB, mapped to themselves */

struct trial { int kvm_fd, vm_fd, vcpu_fd; void *memory; struct kvm_run *run; size_t run_size; };

static void trial_end(struct trial *t)
{
    if (t->run != MAP_FAILED)
        munmap(t->run, t->run_size);
    if (t->memory != MAP_FAILED)
        munmap(t->memory, MEMORY);
    const int fds[] = { t->vcpu_fd, t->vm_fd, t->kvm_fd };
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static int map_memory(struct trial *t)
{
    t->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t->memory == MAP_FAILED)
        return -1;
    memcpy((u8 *)t->memory + CODE_AT, loop_code, sizeof loop_code);
    memcpy((u8 *)t->memory + PAGING_CODE_AT, paging_code, sizeof paging_code);
    memcpy((u8 *)t->memory + DIRECTORY_AT, &directory_entry, sizeof directory_entry);
    struct kvm_userspace_memory_region slot = { .memory_size = MEMORY, .userspace_addr = (uintptr_t)t->memory };
    return ioctl(t->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

static int create_vcpu(struct trial *t)
{
    t->vcpu_fd = ioctl(t->vm_fd, KVM_CREATE_VCPU, 0);
    t->run_size = ioctl(t->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (t->vcpu_fd < 0)
        return -1;
    t->run = mmap(NULL, t->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu_fd, 0);
    return t->run == MAP_FAILED ? -1 : 0;
}

/* Flat 32-bit ring 0. */
static int set_registers(struct trial *t)
{
    struct kvm_sregs s;
    struct kvm_regs r = { .rip = CODE_AT, .rflags = 2, .rsp = MEMORY };
    if (ioctl(t->vcpu_fd, KVM_GET_SREGS, &s) < 0)
        return -1;
    struct kvm_segment flat = { .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 };
    s.ds = s.es = s.ss = s.fs = s.gs = flat;
    s.cs = flat;
    s.cs.selector = 8;
    s.cs.type = 11;
    s.cr0 |= CR0_PE;
    s.cr3 = DIRECTORY_AT;
    s.cr4 |= CR4_PSE;
    return ioctl(t->vcpu_fd, KVM_SET_SREGS, &s) < 0 || ioctl(t->vcpu_fd, KVM_SET_REGS, &r) < 0 ? -1 : 0;
}

static int run(struct trial *t)
{
    int r;
    while ((r = ioctl(t->vcpu_fd, KVM_RUN, 0)) < 0 && errno == EINTR)
        ;
    return r;
}

static int run_loop(struct trial *t, double *ns)
{
    u64 start = pace_host_ns();
    int r = run(t);
    *ns = (double)(pace_host_ns() - start) / (2.0 * ITERATIONS);
    return r;
}

/* By what the guest gets, for KVM only says that it has set a register. */
static bool try_paging(struct trial *t)
{
    struct kvm_regs r = { .rip = PAGING_CODE_AT, .rflags = 2, .rsp = MEMORY, .rax = CR0_PG | CR0_PE | CR0_ET };
    struct kvm_sregs s;
    if (ioctl(t->vcpu_fd, KVM_SET_REGS, &r) < 0 || run(t) < 0 || t->run->exit_reason != KVM_EXIT_HLT)
        return false;
    return ioctl(t->vcpu_fd, KVM_GET_SREGS, &s) == 0 && s.cr0 & CR0_PG;
}

static int check_result(struct trial *t, struct error *err)
{
    struct kvm_regs r;
    if (t->run->exit_reason != KVM_EXIT_HLT)
        return error_set(err, "/dev/kvm does not run a simple guest: exit reason %u instead of HLT; use --kvm=model", t->run->exit_reason);
    if (ioctl(t->vcpu_fd, KVM_GET_REGS, &r) < 0 || r.rcx != 0)
        return error_set(err, "/dev/kvm runs a simple guest wrongly; use --kvm=model");
    return 0;
}

static int run_trial(struct trial *t, struct host_findings *f, struct error *err)
{
    t->kvm_fd = host_open(host_device(), err);
    if (t->kvm_fd < 0)
        return -1;
    t->vm_fd = host_create_vm(t->kvm_fd, err);
    if (t->vm_fd < 0)
        return -1;
    if (map_memory(t) < 0 || create_vcpu(t) < 0 || set_registers(t) < 0 || run_loop(t, &f->ns) < 0)
        return host_explain(errno, err);
    if (check_result(t, err) < 0)
        return -1;
    f->paging32 = try_paging(t);
    return 0;
}

int host_try(struct host_findings *f, struct error *err)
{
    struct trial t = { -1, -1, -1, MAP_FAILED, MAP_FAILED, 0 };
    int r = run_trial(&t, f, err);
    trial_end(&t);
    return r;
}
