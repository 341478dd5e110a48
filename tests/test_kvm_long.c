/* SPDX-License-Identifier: MIT */
/*
 * A 64-bit guest on both backends: it goes into long mode by itself, moves to the upper half, runs a program in ring 3 that calls by SYSCALL, and
 * lets it fault. Same exits, same end; and the host's backend moves all of such a processor's state.
 */
#include "kvm_agree.h"

#define HIGH "0xffffffff80000000"
#define HIGH_AT(label) HIGH " + 0x100000 + " #label " - guest_code"
#define WRMSR(number, value) "mov $" #number ", %ecx\nmov $" #value ", %eax\nxor %edx, %edx\nwrmsr\n"

GUEST_CODE(
    "long_start:\nmov $0x10000, %eax\nmov %eax, %cr3\nmov $0x620, %eax\nmov %eax, %cr4\nmov $0xc0000080, %ecx\nrdmsr\nor $0x901, %eax\nwrmsr\n" /* SCE, LME, NXE */
    "mov %cr0, %eax\nor $0x80010000, %eax\nmov %eax, %cr0\nljmp $0x10, $(long_low - guest_code + 0x100000)\n"

    /* in the upper half, with tables there */
    ".code64\nlong_low:\nmovabs $(" HIGH_AT(long_high) "), %rax\njmp *%rax\n"
    "long_high:\nlgdt 0x9010\nlidt 0x9000\nmov $0x2b, %eax\nmov %eax, %ds\nmov %eax, %es\nmov $0x18, %eax\nmov %eax, %ss\nxor %eax, %eax\nmov %eax, %fs\nmov %eax, %gs\nmov $64, %eax\nltr %ax\nmov $" HIGH " + 0x7000, %rsp\n"

    /* what only 64 bits have */
    "movabs $0x0123456789abcdef, %r8\nlea (%r8,%r8,2), %r9\nmov %r9, %r10\nimul %r8, %r10\nbswap %r10\nmov %r10, 0x8000\nmovq %r8, %xmm8\nmovq %r9, %xmm15\n"
    "punpcklqdq %xmm15, %xmm8\nmovups %xmm8, 0x8010\nmov $5, %eax\nmov %rax, %cr8\nmov %cr8, %rbx\nmov %rbx, 0x8020\nmovslq 0x8000, %r11\npush %r11\npopq 0x8028\n"
    "mov $0x80000001, %eax\ncpuid\nand $0x20000800, %edx\nmov %rdx, 0x8030\n" /* LM, SYSCALL */

    /* devices: a port, memory by 4 and by 8 bytes */
    "mov $0x5000, %edx\nmov $0x11, %eax\nout %eax, %dx\nin %dx, %eax\nmov %rax, 0x8038\nmov $0xd0000000, %edi\nmov %r8d, 0x10(%rdi)\nmov 0x20(%rdi), %r12d\n"
    "mov %r8, 0x40(%rdi)\nmov 0x48(%rdi), %r13\n"

    /* bases of FS and GS, SYSCALL's registers */
    WRMSR(0xc0000100, 0x8100) WRMSR(0xc0000101, 0x8200) WRMSR(0xc0000102, 0x8300) WRMSR(0xc0000084, 0x300)
    "mov $0xc0000081, %ecx\nxor %eax, %eax\nmov $0x00230010, %edx\nwrmsr\n"
    "mov $0xc0000082, %ecx\nmov $(" HIGH_AT(long_syscall) "), %rax\nmov %rax, %rdx\nshr $32, %rdx\nwrmsr\nmov %r8, %fs:8\nmov %r9, %gs:8\n"

    /* ring 3 */
    "lea long_lost(%rip), %r15\nmov $0x40001000, %ecx\nmov $0x202, %r11d\nswapgs\nsysretq\nlong_lost:\ncli\nhlt\n"

    /* SYSCALL: a word for the device, on the kernel's stack */
    "long_syscall:\nswapgs\nmov %rsp, %gs:0\nmov $" HIGH " + 0x6800, %rsp\npush %rcx\npush %r11\nmov %edi, %eax\nmov $0x5000, %edx\nout %eax, %dx\nin %dx, %eax\n"
    "pop %r11\npop %rcx\nmov %gs:0, %rsp\nswapgs\nsysretq\n"

    /* #PF at 40003000h is served, at 40005000h it is the program's end; any other, and #GP, goes on at R15 */
    "long_pf:\npush %rax\npush %rbx\nmov %cr2, %rax\nmov 0x8400, %ebx\nmov %rax, 0x8410(,%rbx,8)\nmov 16(%rsp), %rax\nmov %rax, 0x8500(,%rbx,8)\nincl 0x8400\n"
    "mov %cr2, %rax\nand $-4096, %rax\ncmp $0x40005000, %rax\nje 2f\ncmp $0x40003000, %rax\njne 1f\nmovq $0x302007, 0x14018\ninvlpg (%rax)\n"
    "pop %rbx\npop %rax\nadd $8, %rsp\niretq\n1: pop %rbx\npop %rax\nadd $8, %rsp\nmov %r15, (%rsp)\niretq\n2: pop %rbx\npop %rax\nadd $8, %rsp\njmp long_int\n"
    "long_gp:\npush %rax\npush %rbx\nmov 0x8408, %ebx\nmov 24(%rsp), %rax\nmov %rax, 0x8580(,%rbx,8)\nincl 0x8408\npop %rbx\npop %rax\nadd $8, %rsp\nmov %r15, (%rsp)\niretq\n"

    /* the end: what the processor has pushed; ring 0 halts */
    "long_int:\nmov %rbx, 0x8600\nmov %rsp, 0x8608\nmov 8(%rsp), %rax\nmov %rax, 0x8618\nmov 24(%rsp), %rax\nmov %rax, 0x8620\n"
    "mov $0xc0000102, %ecx\nrdmsr\nmov %eax, 0x8628\nxor %edx, %edx\nxor %eax, %eax\nhlt\n"

    /* the program, at 40001000h: a page that comes on demand, a supervisor's page, a port, data as code, an address that is none */
    ".balign 4096\nlong_user:\nmov $0x40002ff0, %esp\nlea (%r8,%r9), %r14\npush %r14\npop 0x40003008\nmov 0x40003008, %rbx\n"
    "lea 1f(%rip), %r15\nmov 0x40004000, %rbx\n1: lea 1f(%rip), %r15\nout %al, $0x80\n1: lea 1f(%rip), %r15\nmov $0x40002000, %eax\njmp *%rax\n"
    "1: lea 1f(%rip), %r15\nmovabs $0x8000000000000000, %rax\nmov (%rax), %rax\n1: mov 0x40005000, %rax\n"

    /* another: two calls by SYSCALL, and INT */
    ".balign 4096\nlong_calls:\nmov $0x40002ff0, %esp\nmov $0x22, %edi\nsyscall\nmov %rax, %rbx\nmov $0x33, %edi\nsyscall\nint $0x40\n.balign 4096\n");
extern const u8 long_start[], long_pf[], long_gp[], long_int[], long_user[], long_calls[];

/* --- its tables --- */

enum { PML4 = 0x10000, PDPT = 0x11000, PD = 0x12000, PD_USER = 0x13000, PT_USER = 0x14000, PD_DEVICE = 0x15000, PDPT_HIGH = 0x16000, TSS = 0x5000 };
enum { P = 1, W = 2, U = 4, LARGE = 0x80 };
#define NX BIT(63)

static void put(struct vm *vm, gpa_t gpa, u64 value) { physmap_store(&vm->map, gpa, 8, value); }
static u64 high(const u8 *label) { return 0xffffffff80000000 + at(label); }

/* The first 4 MiB to themselves and below the end of all addresses; the program at 40000000h; the device. */
static void put_pages(struct vm *vm, const u8 *program)
{
    put(vm, PML4, PDPT | P | W | U);
    put(vm, PML4 + 8 * 511, PDPT_HIGH | P | W);
    put(vm, PDPT_HIGH + 8 * 510, PD | P | W);
    put(vm, PDPT, PD | P | W);
    put(vm, PDPT + 8, PD_USER | P | W | U);
    put(vm, PDPT + 8 * 3, PD_DEVICE | P | W);
    put(vm, PD, LARGE | P | W);
    put(vm, PD + 8, 0x200000 | LARGE | P | W);
    put(vm, PD_DEVICE + 8 * (MMIO_AT >> 21 & 511), MMIO_AT | LARGE | P | W);
    put(vm, PD_USER, PT_USER | P | W | U);
    put(vm, PT_USER + 8, at(program) | P | U);
    put(vm, PT_USER + 16, 0x300000 | P | W | U | NX);
    put(vm, PT_USER + 32, 0x301000 | P | W);
}

/* A gate of 16 bytes (SDM vol. 3, 6.14.1). */
static void put_gate64(struct vm *vm, unsigned vector, const u8 *handler, unsigned dpl)
{
    u64 to = high(handler);
    put(vm, IDT_AT + 16 * vector, (to & 0xffff) | 0x10 << 16 | (u64)(0x8e00 | dpl << 13) << 32 | (to >> 16 & 0xffff) << 48);
    put(vm, IDT_AT + 16 * vector + 8, to >> 32);
}

static void prepare_for(struct vm *vm, const u8 *program)
{
    static const u64 gdt[] = { 0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
                               0x00affb000000ffff, 0, 0x8000890000000067 | (u64)TSS << 16, 0xffffffff };
    struct cpu_state s;
    physmap_write(&vm->map, GDT_AT, gdt, sizeof gdt);
    put_pages(vm, program);
    put_gate64(vm, VEC_GP, long_gp, 0);
    put_gate64(vm, VEC_PF, long_pf, 0);
    put_gate64(vm, 0x40, long_int, 3);
    put(vm, TSS + 4, 0xffffffff80006000);       /* RSP0 */
    physmap_store(&vm->map, TSS + 0x66, 2, 0x68);   /* no ports */
    physmap_store(&vm->map, 0x9000, 2, 0x7ff);
    put(vm, 0x9002, 0xffffffff80000000 + IDT_AT);
    physmap_store(&vm->map, 0x9010, 2, sizeof gdt - 1);
    put(vm, 0x9012, 0xffffffff80000000 + GDT_AT);
    vm->engine->get_state(vm->vcpu[0], &s);
    s.gdtr.limit = sizeof gdt - 1;
    vm->engine->set_state(vm->vcpu[0], &s);
}

static void prepare_faults(struct vm *vm) { prepare_for(vm, long_user); }
static void prepare_calls(struct vm *vm) { prepare_for(vm, long_calls); }

/* --- the host alone, and both --- */

#define NEEDS_LONG() do { \
    struct host_findings f_; \
    if (host_try(&f_, &err) < 0) \
        SKIP("%s", err.text); \
    if (!f_.long_mode) \
        SKIP("this host's KVM has no long mode"); \
} while (0)

static void check_end(struct vm *vm)
{
    struct cpu_state s;
    const u64 r8 = 0x0123456789abcdef;
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.efer & (EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE), EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
    CHECK_EQ(state_code_bits(&s), 64);
    CHECK_EQ(state_cpl(&s), 0);
    CHECK_EQ(s.gpr[R8], r8);
    CHECK_EQ(s.gpr[R14], 4 * r8);
    CHECK_EQ(s.cr8, 5);
    CHECK_EQ(s.kernel_gs_base, 0x8200);
    CHECK_EQ(s.lstar >> 32, 0xffffffff);
    CHECK_EQ(s.star, (u64)0x00230010 << 32);
    CHECK_EQ(s.seg[GS].base, 0x8300);
    CHECK_EQ(s.seg[FS].base, 0x8100);
    CHECK_EQ(physmap_load(&vm->map, 0x8108, 8), r8);
    CHECK_EQ(physmap_load(&vm->map, 0x8208, 8), 3 * r8);
    CHECK_EQ(physmap_load(&vm->map, 0x8030, 8), 0x20000000 | 0x800);
    CHECK_EQ(physmap_load(&vm->map, 0x8600, 8), 4 * r8);
    CHECK_EQ(physmap_load(&vm->map, 0x302008, 8), 4 * r8);
    CHECK_EQ(physmap_load(&vm->map, 0x8400, 4), 4);             /* page faults: */
    CHECK_EQ(physmap_load(&vm->map, 0x8410, 8), 0x40003008);
    CHECK_EQ(physmap_load(&vm->map, 0x8500, 8), 6);             /* a write in ring 3, nothing there */
    CHECK_EQ(physmap_load(&vm->map, 0x8418, 8), 0x40004000);
    CHECK_EQ(physmap_load(&vm->map, 0x8508, 8), 5);             /* a read in ring 3 of a supervisor's page */
    CHECK_EQ(physmap_load(&vm->map, 0x8420, 8), 0x40002000);
    CHECK_EQ(physmap_load(&vm->map, 0x8510, 8), 0x15);          /* a fetch from a page of data */
    CHECK_EQ(physmap_load(&vm->map, 0x8408, 4), 2);             /* #GP: of OUT, and of an address that is none */
    CHECK_EQ(physmap_load(&vm->map, 0x8618, 8), 0x33);            /* the program's CS and SS */
    CHECK_EQ(physmap_load(&vm->map, 0x8620, 8), 0x40002ff0);
}

static struct vm *make_long(const char *kvm, void (*prepare)(struct vm *vm))
{
    struct vm_config c = config_of(kvm);
    c.cpu_model = "core2-64";
    struct vm *vm = make_of(&c, long_start);
    if (vm) {
        add_mmio(vm);
        prepare(vm);
    }
    return vm;
}

#define DEVICE_LOG "p0/4=11 p0/4=40 m10/4=89abcdef m20/4=41 m40/4=89abcdef m44/4=1234567 m48/4=42 m4c/4=43 "

static void run_faults(const char *kvm)
{
    struct vm *vm = make_long(kvm, prepare_faults);
    if (!vm)
        return;
    run_to_hlt(vm);
    check_end(vm);
    CHECK_STR(rec.log, DEVICE_LOG);
    vm_free(vm);
}

/* False: the guest is lost, and it may. */
static bool run_calls(const char *kvm, bool may_lose)
{
    struct vm *vm = make_long(kvm, prepare_calls);
    if (!vm)
        return true;
    vm_run(vm);
    bool lost = may_lose && strstr(vm->reason, "triple fault");
    if (!lost) {
        CHECK_CONTAINS(vm->reason, "halted with interrupts disabled");
        CHECK_STR(rec.log, DEVICE_LOG "p0/4=22 p0/4=44 p0/4=33 p0/4=45 ");
        CHECK_EQ(physmap_load(&vm->map, 0x8600, 8), 0x44);
        CHECK_EQ(physmap_load(&vm->map, 0x8618, 8), 0x33);
    }
    vm_free(vm);
    return !lost;
}

static void test_model(void)
{
    run_faults("model");
    run_calls("model", false);
}

static void test_faults(void)
{
    NEEDS_LONG();
    run_faults("host");
}

/* A KVM that is software may run ring 3 on the processor itself, and then not know what its calls mean to a guest that does not know of it. */
static void test_calls(void)
{
    struct host_findings f;
    NEEDS_LONG();
    host_try(&f, &err);
    if (!run_calls("host", f.ns > HOST_SOFTWARE_NS))
        SKIP("this host's KVM is software, and loses a guest that leaves ring 3 by SYSCALL");
}

/* The model and the host. */
static void both(const char *name, void (*prepare)(struct vm *vm), const char *letters)
{
    static struct both b;
    if (!run_both(&b, name, long_start, "core2-64", prepare))
        return;
    CHECK_STR(seen[0].letter, letters);
    CHECK_STR(seen[1].letter, letters);
    CHECK_EQ(seen[0].cpuids, 1);
    same_end(&b);
    check_end(b.vm[0]);
    free_both(&b);
}

static void test_agreement(void)
{
    NEEDS_LONG();
    both("ring 3 and its faults", prepare_faults, "IIMMMMH");
}

/* --- state --- */

/* Everything that a processor in long mode has goes to the kernel and comes back. */
static void test_state(void)
{
    struct cpu_state s, t;
    NEEDS_LONG();
    struct vm *vm = make_long("host", prepare_faults);
    if (!vm)
        return;
    run_to_hlt(vm);
    vm->engine->get_state(vm->vcpu[0], &s);
    for (unsigned i = 0; i < 16; i++) {
        s.gpr[i] = 0x0101010101010101 * (i + 1);
        memset(s.fpu.xmm[i], 0x10 + i, 16);
    }
    s.lstar = 0xffffffff81000000;
    s.cstar = 0xffffffff82000000;
    s.sfmask = 0x47700;
    s.seg[FS].base = 0x00007fff12345678;
    s.kernel_gs_base = 0xffff888012345678;
    s.cr8 = 9;
    s.sysenter_eip = 0xffffffff83000000;
    vm->engine->set_state(vm->vcpu[0], &s);
    CHECK_EQ(host_push(vcpu_of(vm)), 0);
    memset(vm->vcpu[0]->cpu.state.gpr, 0xff, sizeof s.gpr);
    memset(vm->vcpu[0]->cpu.state.fpu.xmm, 0xff, sizeof s.fpu.xmm);
    vm->vcpu[0]->cpu.state.rip = vm->vcpu[0]->cpu.state.efer = vm->vcpu[0]->cpu.state.star = vm->vcpu[0]->cpu.state.cr8 = 0;
    vm->engine->get_state(vm->vcpu[0], &t);
    same_state(&s, &t);
    CHECK_EQ(t.star, s.star);
    CHECK_EQ(t.lstar, s.lstar);
    CHECK_EQ(t.cstar, s.cstar);
    CHECK_EQ(t.sfmask, s.sfmask);
    CHECK_EQ(t.kernel_gs_base, s.kernel_gs_base);
    CHECK_EQ(t.cr8, s.cr8);
    CHECK_EQ(t.sysenter_eip, s.sysenter_eip);
    CHECK_EQ(t.tr.base, s.tr.base);
    CHECK_EQ(t.idtr.base, s.idtr.base);
    CHECK_EQ(t.gdtr.base, s.gdtr.base);
    vm_free(vm);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "model", test_model }, { "faults", test_faults }, { "calls", test_calls }, { "agreement", test_agreement }, { "state", test_state }, { NULL, NULL } };
    return check_main(argc, argv, "kvm long mode", tests);
}
