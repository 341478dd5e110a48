/* SPDX-License-Identifier: MIT */
/*
 * One small 64-bit kernel on every engine that takes it, with every kind of VT-x that there was: it enters long mode, fills its page
 * tables as they are touched, remaps a page, and has a user program that calls it by SYSCALL, by INT, and from compatibility mode.
 * What it has counted must be the same everywhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "bt/bt.h"
#include "hwassist/hwassist.h"
#include "machine/bare.h"
#include "machine/vm.h"

/* Results, from gpa 7000 on: page faults, system calls, calls from compatibility mode, the sum that was read, what the remapped page
 * held, GS:0 by SWAPGS, CR2 of the last fault. */
enum { RESULT_AT = 0x7000, FAULTS = 0, CALLS, CALLS32, SUM, REMAPPED, BY_GS, LAST_CR2, RESULTS };

/* The image is loaded at 1 MiB. Page tables: PML4 200000, PDPT 201000, PD 202000, and one page table at 203000 for 400000 to 5fffff,
 * whose pages are given when touched: 600000 and up. All is mapped once more at the top of the address space. */
#define A(label) "(" label " - lg_image + 0x100000)"
#define HIGH "0xffffffff80000000"
extern const u8 lg_image[], lg_image_end[];
asm(".pushsection .rodata\n.code32\nlg_image:\n"
    " mov $0x200000, %edi\n xor %eax, %eax\n mov $0x1000, %ecx\n rep stosl\n"
    " movl $0x201007, 0x200000\n movl $0x201007, 0x200ff8\n"            /* PML4: 0 and 511 */
    " movl $0x202007, 0x201000\n movl $0x202007, 0x201ff0\n"            /* PDPT: 0 and 510 */
    " movl $0x000087, 0x202000\n movl $0x200087, 0x202008\n"            /* 2 MiB pages */
    " movl $0x203007, 0x202010\n movl $0x600087, 0x202018\n"
    " mov $0x200000, %eax\n mov %eax, %cr3\n mov $0x20, %eax\n mov %eax, %cr4\n"
    " mov $0xc0000080, %ecx\n rdmsr\n or $0x901, %eax\n wrmsr\n"        /* NXE, LME, SCE */
    " mov %cr0, %eax\n or $0x80010000, %eax\n mov %eax, %cr0\n"
    " lgdt " A("lg_gdtr32") "\n ljmp $8, $" A("lg_64") "\n"
    ".code64\nlg_64:\n"
    " mov $16, %eax\n mov %eax, %ds\n mov %eax, %es\n mov %eax, %ss\n"
    " movabs $" HIGH " + " A("lg_high") ", %rax\n jmp *%rax\n"
    "lg_high: lea lg_gdtr(%rip), %rax\n lgdt (%rax)\n lidt lg_idtr(%rip)\n"
    " mov $0x30, %eax\n ltr %ax\n mov $0x80000, %esp\n"
    /* gates: #PF, INT 30 and INT 31 */
    " lea lg_pf(%rip), %rax\n mov $14, %ecx\n mov $0x8e01, %edx\n call lg_gate\n"    /* by IST1 */
    " lea lg_done(%rip), %rax\n mov $0x30, %ecx\n mov $0xee00, %edx\n call lg_gate\n"
    " lea lg_int31(%rip), %rax\n mov $0x31, %ecx\n mov $0xee00, %edx\n call lg_gate\n"
    /* 64 pages on demand, and what they hold */
    " mov $0x400000, %rdi\n 1: mov %rdi, (%rdi)\n add $0x1000, %rdi\n cmp $0x440000, %rdi\n jb 1b\n"
    " mov $0x400000, %rsi\n xor %ebx, %ebx\n 2: lodsq\n add %rax, %rbx\n add $0xff8, %rsi\n cmp $0x440000, %rsi\n jb 2b\n"
    " mov %rbx, 0x7018\n"
    /* the first of them shows the frame of the third from now on */
    " mov 0x203010, %rax\n mov %rax, 0x203000\n invlpg 0x400000\n mov 0x400000, %rax\n mov %rax, 0x7020\n"
    /* fast system calls */
    " mov $0xc0000081, %ecx\n xor %eax, %eax\n mov $0x00180008, %edx\n wrmsr\n"
    " mov $0xc0000082, %ecx\n lea lg_syscall(%rip), %rax\n mov %rax, %rdx\n shr $32, %rdx\n wrmsr\n"
    " mov $0xc0000084, %ecx\n mov $0x200, %eax\n xor %edx, %edx\n wrmsr\n"
    " mov $0xc0000102, %ecx\n mov $0x7100, %eax\n xor %edx, %edx\n wrmsr\n" /* KERNEL_GS_BASE */
    " movq $0x5a5a, 0x7100\n"
    " pushq $0x23\n pushq $0x90000\n pushq $0x202\n pushq $0x2b\n pushq $" A("lg_user") "\n iretq\n"
    /* RAX: handler, ECX: vector, EDX: P, DPL, type, IST */
    "lg_gate: shl $4, %ecx\n add $0x6000, %ecx\n mov %ax, (%rcx)\n movw $8, 2(%rcx)\n mov %dl, 4(%rcx)\n mov %dh, 5(%rcx)\n"
    " shr $16, %rax\n mov %ax, 6(%rcx)\n shr $16, %rax\n mov %rax, 8(%rcx)\n ret\n"
    /* #PF: gva 400000 + x gets the frame 600000 + x */
    "lg_pf: push %rax\n push %rdx\n incq 0x7000\n mov %cr2, %rax\n mov %rax, 0x7030\n mov %rax, %rdx\n shr $12, %rdx\n and $0x1ff, %edx\n"
    " and $0xfffffffffffff000, %rax\n add $0x200007, %rax\n mov %rax, 0x203000(,%rdx,8)\n pop %rdx\n pop %rax\n add $8, %rsp\n iretq\n"
    "lg_syscall: swapgs\n mov %gs:0, %rax\n mov %rax, 0x7028\n swapgs\n incq 0x7008\n sysretq\n"
    "lg_int31: incq 0x7010\n iretq\n"
    "lg_done: mov $0x10, %al\n out %al, $0xf4\n hlt\n"
    "lg_user: mov $1000, %ebx\n 1: syscall\n dec %ebx\n jnz 1b\n mov $0x440ff0, %eax\n mov %rsp, (%rax)\n" /* a fault of the user's */
    " pushq $0x1b\n pushq $" A("lg_user32") "\n lretq\n"
    ".code32\nlg_user32: mov $100, %ebx\n 1: int $0x31\n dec %ebx\n jnz 1b\n ljmp $0x2b, $" A("lg_user64") "\n"
    ".code64\nlg_user64: int $0x30\n"
    ".balign 8\nlg_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff\n"
    " .quad 0x0000890070800067, 0\n"                        /* TSS at 7080, in conventional memory */
    "lg_gdtr32: .word 63\n .long " A("lg_gdt") "\n"
    "lg_gdtr: .word 63\n .quad " HIGH " + " A("lg_gdt") "\n"
    "lg_idtr: .word 0x3ff\n .quad " HIGH " + 0x6000\n"
    "lg_image_end:\n.popsection\n");

struct setting { const char *name; const struct engine_ops *engine; const char *hw; };

static const char *write_image(void)
{
    static char path[] = "/tmp/emu-test-XXXXXX";
    static u8 image[PAGE_SIZE];
    int fd = mkstemp(path);
    memcpy(image, lg_image, lg_image_end - lg_image);
    if (fd < 0 || write(fd, image, sizeof image) != sizeof image || close(fd))
        return NULL;
    return path;
}

static void run(const struct setting *on, const char *image, u64 result[RESULTS])
{
    struct vm_config c;
    struct error err = { "" };
    vm_config_defaults(&c);
    c.engine = on->engine;
    c.hw = on->hw;
    c.kvm = "model";
    c.kernel = image;
    c.cpu_model = "core2-64";
    c.ram_size = 16 << 20;
    c.max_cycles = 100000000;
    check_context("%s", on->name);
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("%s", err.text);
        return;
    }
    physmap_store(&vm->map, 0x7080 + 4, 8, 0xa0000 - 0x8000);  /* RSP0, IST1 */
    physmap_store(&vm->map, 0x7080 + 36, 8, 0xa0000 - 0xc000);
    int status = vm_run(vm);
    check_context("%s: %s", on->name, vm->reason);
    CHECK_EQ(status, 0x10 << 1 | 1);
    for (unsigned i = 0; i < RESULTS; i++)
        result[i] = physmap_load(&vm->map, RESULT_AT + 8 * i, 8);
    struct cpu_state s;
    vm->engine->get_state(vm->vcpu[0], &s);
    CHECK_EQ(s.efer, EFER_NXE | EFER_LME | EFER_LMA | EFER_SCE);
    CHECK_EQ(s.cr3, 0x200000);
    CHECK_EQ(s.cr4, CR4_PAE);
    vm_free(vm);
}

static void test_everywhere(void)
{
    static const struct setting on[] = {
        { "bare", &bare_engine, NULL }, { "bt", &bt_engine, NULL }, { "kvm, all", &kvm_engine, NULL }, { "kvm, no-ept", &kvm_engine, "no-ept" },
        { "kvm, no-ug", &kvm_engine, "no-ug" }, { "kvm, no-apicv", &kvm_engine, "no-apicv" }, { "kvm, prescott", &kvm_engine, "prescott" },
        { "kvm, nehalem", &kvm_engine, "nehalem" }, { "kvm, westmere", &kvm_engine, "westmere" },
    };
    static const u64 expected[RESULTS] = {
        [FAULTS] = 65, [CALLS] = 1000, [CALLS32] = 100, [SUM] = 64 * (0x400000 + 0x43f000) / 2, [REMAPPED] = 0x402000, [BY_GS] = 0x5a5a, [LAST_CR2] = 0x440ff0,
    };
    const char *image = write_image();
    if (!CHECK(image != NULL))
        return;
    for (unsigned i = 0; i < ARRAY_LEN(on); i++) {
        u64 result[RESULTS] = { 0 };
        run(&on[i], image, result);
        for (unsigned k = 0; k < RESULTS; k++) {
            check_context("%s, result %u", on[i].name, k);
            CHECK_EQ(result[k], expected[k]);
        }
    }
    remove(image);
}

int main(int argc, char **argv)
{
    static const struct check tests[] = { { "everywhere", test_everywhere }, { NULL, NULL } };
    return check_main(argc, argv, "long guests", tests);
}
