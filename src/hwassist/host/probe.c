/* SPDX-License-Identifier: MIT */
/*
 * Does it work, and is it hardware? By doing: a loop of kernel-mode guest instructions that needs no exit runs at the
 * processor's speed where hardware assist is real, and a thousand times slower where the kernel emulates each one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hwassist/host/host.h"

#define ITERATIONS 500
#define MEMORY 0x10000
enum { LOOP_AT = 0x1000, PAGING_AT = 0x1100, LONG_AT = 0x1200, LONG_ENTRY_AT = 0x1240, GDT_AT = 0x1800, DIRECTORY_AT = 0x2000, PML4_AT = 0x3000,
       PDPT_AT = 0x4000, LARGE_AT = 0x5000 };
enum { SELECT_CODE = 8, SELECT_DATA = 16, SELECT_LONG = 24 };

/* What lies ready in the trial's memory. Every way of paging maps the first megabytes to themselves. */
static const u8 loop_code[] = { 0xb9, ITERATIONS & 0xff, ITERATIONS >> 8, 0, 0, 0x49, 0x75, 0xfd, 0xf4 };  /* mov ecx, n; 1: dec ecx; jnz 1b; hlt */
static const u8 paging_code[] = { 0x0f, 0x22, 0xc0, 0x90, 0xf4 };                                           /* mov cr0, eax; nop; hlt */
static const u8 long_code[] = { 0x0f, 0x22, 0xc0, 0xea, LONG_ENTRY_AT & 0xff, LONG_ENTRY_AT >> 8, 0, 0, SELECT_LONG, 0 }; /* mov cr0, eax; ljmp */
static const u8 long_entry[] = { 0x49, 0x89, 0xc0, 0x49, 0xc1, 0xe0, 0x20, 0xf4 };                          /* mov r8, rax; shl r8, 32; hlt */
static const u64 gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff };
static const u32 directory_entry = 0x83;
static const u64 pml4_entry = PDPT_AT | 3, pdpt_entry = LARGE_AT | 3, large_entry = 0x83;
#define PIECE(at, what) { at, &what, sizeof(what) }
static const struct { u32 at; const void *what; size_t size; } pieces[] = {
    PIECE(LOOP_AT, loop_code), PIECE(PAGING_AT, paging_code), PIECE(LONG_AT, long_code), PIECE(LONG_ENTRY_AT, long_entry), PIECE(GDT_AT, gdt),
    PIECE(DIRECTORY_AT, directory_entry), PIECE(PML4_AT, pml4_entry), PIECE(PDPT_AT, pdpt_entry), PIECE(LARGE_AT, large_entry),
};

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
    for (unsigned i = 0; i < ARRAY_LEN(pieces); i++)
        memcpy((u8 *)t->memory + pieces[i].at, pieces[i].what, pieces[i].size);
    struct kvm_userspace_memory_region slot = { .memory_size = MEMORY, .userspace_addr = (uintptr_t)t->memory };
    return ioctl(t->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot);
}

/* A processor with 32-bit, PAE and 4-level paging: without its bits in CPUID, KVM refuses what the trials set. */
static int set_cpuid(struct trial *t)
{
    enum { LEAF1_EDX = CPUID_FPU | CPUID_PSE | CPUID_MSR | CPUID_PAE | CPUID_FXSR | CPUID_SSE | CPUID_SSE2, LEAF81_EDX = 1 << 29 /* LM */ };
    const struct kvm_cpuid_entry2 leaf[] = {
        { .function = 0, .eax = 1 }, { .function = 1, .edx = LEAF1_EDX }, { .function = 0x80000000, .eax = 0x80000001 }, { .function = 0x80000001, .edx = LEAF81_EDX },
    };
    struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 leaf[ARRAY_LEN(leaf)]; } c = { .head.nent = ARRAY_LEN(leaf) };
    memcpy(c.leaf, leaf, sizeof leaf);
    return ioctl(t->vcpu_fd, KVM_SET_CPUID2, &c);
}

static int create_vcpu(struct trial *t)
{
    t->vcpu_fd = ioctl(t->vm_fd, KVM_CREATE_VCPU, 0);
    t->run_size = ioctl(t->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (t->vcpu_fd < 0)
        return -1;
    t->run = mmap(NULL, t->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, t->vcpu_fd, 0);
    return t->run == MAP_FAILED ? -1 : set_cpuid(t);
}

/* Flat 32-bit ring 0, without paging; what MOV CR0 will turn on is in cr3, cr4 and efer, its operand in EAX. */
static int set_registers(struct trial *t, u32 rip, u64 cr3, u64 cr4, u64 efer)
{
    struct kvm_sregs s;
    struct kvm_regs r = { .rip = rip, .rflags = 2, .rsp = MEMORY, .rax = CR0_PG | CR0_PE | CR0_ET };
    if (ioctl(t->vcpu_fd, KVM_GET_SREGS, &s) < 0)
        return -1;
    struct kvm_segment flat = { .limit = 0xffffffff, .selector = SELECT_DATA, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1 };
    s.ds = s.es = s.ss = s.fs = s.gs = flat;
    s.cs = flat;
    s.cs.selector = SELECT_CODE;
    s.cs.type = 11;
    s.gdt.base = GDT_AT;
    s.gdt.limit = sizeof gdt - 1;
    s.cr0 = CR0_PE | CR0_ET;
    s.cr3 = cr3;
    s.cr4 = cr4;
    s.efer = efer;
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

static bool runs_to_hlt(struct trial *t) { return run(t) == 0 && t->run->exit_reason == KVM_EXIT_HLT; }

/* By what the guest gets, for KVM only says that it has set a register. */
static bool try_paging(struct trial *t)
{
    struct kvm_sregs s;
    return set_registers(t, PAGING_AT, DIRECTORY_AT, CR4_PSE, 0) == 0 && runs_to_hlt(t) && ioctl(t->vcpu_fd, KVM_GET_SREGS, &s) == 0 && s.cr0 & CR0_PG;
}

/* Into long mode as a kernel goes there (SDM vol. 3, 10.8.5), and a register that only a 64-bit instruction can fill. */
static bool try_long(struct trial *t)
{
    struct kvm_regs r;
    return set_registers(t, LONG_AT, PML4_AT, CR4_PAE, EFER_LME) == 0 && runs_to_hlt(t) && ioctl(t->vcpu_fd, KVM_GET_REGS, &r) == 0 &&
           r.r8 == (CR0_PG | CR0_PE | CR0_ET) << 32;
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
    if (map_memory(t) < 0 || create_vcpu(t) < 0 || set_registers(t, LOOP_AT, 0, 0, 0) < 0 || run_loop(t, &f->ns) < 0)
        return host_explain(errno, err);
    if (check_result(t, err) < 0)
        return -1;
    f->paging32 = try_paging(t);
    f->long_mode = try_long(t);
    return 0;
}

int host_try(struct host_findings *f, struct error *err)
{
    struct trial t = { -1, -1, -1, MAP_FAILED, MAP_FAILED, 0 };
    int r = run_trial(&t, f, err);
    trial_end(&t);
    return r;
}

void host_describe(const struct host_findings *f, char *text, size_t size)
{
    static const char *const kernels[2][2] = { { ", and refuses kernels' paging", ", and refuses 32-bit paging, but not 64-bit kernels" }, { ", of 32 bits only", "" } };
    snprintf(text, size, "in %s, %.1f ns an instruction%s", f->ns > HOST_SOFTWARE_NS ? "software" : "hardware", f->ns, kernels[f->paging32][f->long_mode]);
}
