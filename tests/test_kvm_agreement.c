/* SPDX-License-Identifier: MIT */
/*
 * The host's KVM and the model agree: the same guest makes the same exits in the same order, as far as the architecture decides over them,
 * and ends in the same state. Of CPUID user space hears nothing on the host (KVM answers by itself), so there its place in the sequence is
 * seen by its answers, which the guest sends to a port.
 */
#include "kvm_agree.h"

GUEST_CODE(
    /* an exit an instruction. In CPUID's features KVM has a say: HTT and MCA are left out */
    "host_mix:\nmov $0x5000, %edx\nmov $3, %ecx\n1: mov %ecx, %eax\nout %eax, %dx\nin %dx, %al\nmov %eax, 0xd0000020\n"
    "push %ecx\npush %edx\nmov $1, %eax\ncpuid\nmov %edx, %esi\nand $0xefffbfff, %esi\npop %edx\nout %eax, %dx\nmov %esi, %eax\nout %eax, %dx\nxor %edx, %edx\nmov $0x5000, %dx\npop %ecx\nloop 1b\n"
    "movzbl 0xd0000003, %ebx\nmovw $0x1234, 0xd0000042\nmov 0xd0000044, %ax\nmov $0x5008, %dx\nin %dx, %ax\nout %al, $0x80\nhlt\n"

    /* several accesses an instruction: strings, and a register that is read, changed and written back */
    "host_strings:\nmov $0x5004, %edx\nmov $0x8100, %edi\nmov $5, %ecx\ncld\nrep insb\nmov $0x8100, %esi\nmov $5, %ecx\nrep outsb\n"
    "mov $0x8100, %edi\nmov $3, %ecx\nrep insl\nincl 0xd0000040\nmov $0x8100, %esi\nmov $0xd0000100, %edi\nmov $4, %ecx\nrep movsl\nhlt\n"

    /* HLT that an interrupt ends, the 8259A's line 0 from the PIT: once a loop */
    "host_irq0:\nincl 0x8000\npush %eax\nmov $0x20, %al\nout %al, $0x20\npop %eax\niret\n"
    "host_halts:\nmov $0x11, %al\nout %al, $0x20\nmov $0x20, %al\nout %al, $0x21\nmov $4, %al\nout %al, $0x21\nmov $1, %al\nout %al, $0x21\n"
    "mov $0xfe, %al\nout %al, $0x21\nmov $0x5000, %edx\nmov $3, %ecx\n"
    "1: mov $0x30, %al\nout %al, $0x43\nmov $0xff, %al\nout %al, $0x40\nout %al, $0x40\nsti\nhlt\ncli\nmov 0x8000, %eax\nout %eax, %dx\nloop 1b\nhlt\n"

    /* 20,000 numbers */
    "host_storm:\nxor %eax, %eax\nmov $0x5000, %edx\n1: out %eax, %dx\ninc %eax\ncmp $20000, %eax\njb 1b\nhlt\n"

    "host_odd:\nmov $5, %esi\nfninit\nfld1\nfldpi\nfaddp\nfstpl 0x8000\nmovups 0x8000, %xmm1\nmovups %xmm1, 0x8010\nbswap %esi\nmov %esi, 0x8020\nhlt\n"

    ".code16\nhost_real:\nmov $0x800, %ax\nmov %ax, %ds\nmov $0x5000, %dx\nmov $4, %cx\n1: mov %cx, %ax\nout %ax, %dx\nin %dx, %ax\nmov %ax, 0\nloop 1b\nint $0x40\nmov %bx, 2\ncli\nhlt\n"
    "host_real_int: mov $0x77, %bx\niretw\n");
extern const u8 host_mix[], host_strings[], host_irq0[], host_halts[], host_storm[], host_odd[], host_real[], host_real_int[];

enum { REAL_AT = 0x1000 };

static void prepare(struct vm *vm) { put_gate(vm, 0x20, at(host_irq0)); }

static void enter_real(struct vm *vm)
{
    struct cpu_state s;
    u32 ivt = REAL_AT + (host_real_int - host_real);
    state_reset(&s);
    s.seg[CS].selector = s.seg[CS].base = 0;
    s.rip = REAL_AT;
    s.gpr[RSP] = STACK_AT;
    physmap_write(&vm->map, REAL_AT, host_real, guest_code_end - host_real);
    physmap_write(&vm->map, 4 * 0x40, &ivt, 4);
    vm->engine->set_state(vm->vcpu[0], &s);
}

/* each: every exit is one access, so the letters are compared; otherwise only the accesses. */
static void agree(const char *name, const u8 *label, bool each, u64 cpuids)
{
    static struct both b;
    if (!run_both(&b, name, label, NULL, label == host_real ? enter_real : prepare))
        return;
    if (each)
        CHECK_STR(seen[1].letter, seen[0].letter);
    CHECK_EQ(seen[0].cpuids, cpuids);
    same_end(&b);
    free_both(&b);
}

static void test_each(void)
{
    NEEDS_KVM();
    agree("ports and memory", host_mix, true, 3);
    CHECK_STR(seen[1].letter, "IIMIIIIMIIIIMIIMMMIIH");
}

static void test_halts(void)
{
    NEEDS_KVM();
    agree("HLT, and what ends it", host_halts, true, 0);
    CHECK_STR(seen[1].letter, "IIIIIIIIHIIIIIHIIIIIHIIH");
}

static void test_storm(void)
{
    NEEDS_KVM();
    agree("a storm of ports", host_storm, true, 0);
    CHECK_EQ(seen[1].n, 20001);
}

static void test_strings(void)
{
    NEEDS_KVM();
    agree("several accesses an instruction", host_strings, false, 0);
}

static void test_odd(void)
{
    NEEDS_KVM();
    agree("x87, SSE and what is rare", host_odd, true, 0);
    CHECK_STR(seen[1].letter, "H");
}

static void test_real(void)
{
    NEEDS_KVM();
    agree("real mode", host_real, true, 0);
    CHECK_STR(seen[1].letter, "IIIIIIIIH");
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "each", test_each }, { "halts", test_halts }, { "storm", test_storm }, { "strings", test_strings }, { "odd", test_odd }, { "real", test_real },
        { NULL, NULL },
    };
    return check_main(argc, argv, "kvm agreement", tests);
}
