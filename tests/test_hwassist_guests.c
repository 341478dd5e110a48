/* SPDX-License-Identifier: MIT */
/*
 * Tiny guests on the small KVM, with each set of hardware features, against the bare processor: the same registers and the same
 * memory in the end, and the exits that each is about.
 *
 * Guest code stands below in assembly. It runs at BASE; GDT, IDT and two TSSs lie ready; every vector up to 47 has a handler
 * that counts at COUNTS + 4 * vector and, for an exception, goes on at the address in RECOVER.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hwassist/hwassist.h"
#include "hwassist/kvm/kvm.h"
#include "machine/bare.h"
#include "machine/vm.h"

enum { BASE = 0x100000, GDT_AT = 0x2000, IDT_AT = 0x3000, TSS_AT = 0x2800, TSS2_AT = 0x2900, STACK_AT = 0x8000, COUNTS = 0x9000, RAM = 16 << 20 };

#define AT(label) #label " - guest_blob + 0x100000"
#define RECOVER_AT(label) "movl $(" AT(label) "), 0x9400\n"

__asm__(
    ".pushsection .rodata\n.balign 4096\n.code32\nguest_blob:\n"

    /* --- handlers: 48 stubs of 16 bytes --- */
    "guest_stubs:\n.set vec, 0\n.rept 48\n.balign 16\n"
    ".if (vec == 8) || ((vec >= 10) && (vec <= 14)) || (vec == 17)\nnop\n.else\npush $0\n.endif\n"
    "push $vec\njmp guest_common\n.set vec, vec + 1\n.endr\n.balign 16\n"
    "guest_common:\n"
    "pusha\nmov 32(%esp), %eax\nincl 0x9000(,%eax,4)\nmov 36(%esp), %edx\nmov %edx, 0x9100(,%eax,4)\n"
    "cmp $14, %eax\njne 1f\nmov %cr2, %edx\nmov %edx, 0x9200\n"
    "1: cmp $32, %eax\njb 2f\nmov $0x20, %al\nout %al, $0x20\njmp 3f\n"
    "2: mov 0x9400, %edx\nmov %edx, 40(%esp)\nandl $~0x100, 48(%esp)\n"
    "3: popa\nadd $8, %esp\niret\n"
    /* the end of every guest: nothing of the way here is left in the stack's memory */
    "guest_end:\ncli\nmov $0x8000, %esp\nmov $0x7000, %edi\nmov $1024, %ecx\nxor %eax, %eax\ncld\nrep stosl\nxor %edi, %edi\nhlt\n"

    "guest_cpuid:\nmov $1, %eax\ncpuid\nmov %eax, 0xa000\nmov %edx, 0xa004\nxor %eax, %eax\ncpuid\nmov %ebx, 0xa008\njmp guest_end\n"

    "guest_io:\nmov $0x55, %al\nout %al, $0x80\nmov $0xabcd, %dx\nin %dx, %eax\nmov %eax, 0xa000\nin $0x21, %al\nmov %al, 0xa004\n"
    "mov $0x10, %ecx\nmov $0xa100, %edi\nmov $0x300, %dx\nrep insb\nmov $0xa100, %esi\nmov $8, %ecx\nrep outsb\njmp guest_end\n"

    "guest_cr:\nmov %cr0, %eax\nor $8, %eax\nmov %eax, %cr0\nsmsw %bx\nmov %ebx, 0xa000\nclts\nmov %cr0, %eax\nmov %eax, 0xa004\n"
    "mov $0x1b, %ax\nlmsw %ax\nsmsw 0xa008\nclts\nmov $0x90, %eax\nmov %eax, %cr4\nmov %cr4, %ebx\nmov %ebx, 0xa00c\n"
    RECOVER_AT(1f) "mov $0x80000000, %eax\nmov %eax, %cr0\n1:\n" /* PG without PE: #GP */
    RECOVER_AT(1f) "mov $0x2000, %eax\nmov %eax, %cr4\n1:\n"     /* VMXE: #GP */
    "mov %cr4, %eax\nmov %eax, 0xa010\nmov %cr0, %eax\nor $0x20, %eax\nmov %eax, %cr0\nmov %cr0, %eax\nmov %eax, 0xa014\n"
    "mov %eax, %cr3\nmov %cr3, %eax\njmp guest_end\n"

    "guest_msr:\nmov $0x174, %ecx\nmov $8, %eax\nxor %edx, %edx\nwrmsr\nrdmsr\nmov %eax, 0xa000\nmov $0x277, %ecx\nrdmsr\nmov %eax, 0xa004\n"
    "mov %edx, 0xa008\nwrmsr\n" RECOVER_AT(1f) "mov $0x12345, %ecx\nrdmsr\n1:\n" RECOVER_AT(1f) "wrmsr\n1: jmp guest_end\n"

    "guest_exceptions:\n" RECOVER_AT(1f) "xor %ecx, %ecx\ndiv %ecx\n1:\n" RECOVER_AT(1f) "ud2\n1:\n" RECOVER_AT(1f)
    "mov $0x78, %eax\nmov %eax, %ds\n1:\n" RECOVER_AT(1f) "int3\n1:\n" RECOVER_AT(1f) "int $0x2f\n1:\n"
    "mov %cr0, %eax\nor $8, %eax\nmov %eax, %cr0\n" RECOVER_AT(1f) "fld1\n1: clts\nfninit\nfld1\nfldpi\nfaddp\nfstps 0xa000\njmp guest_end\n"

    "guest_dr:\nmov $0x12345678, %eax\nmov %eax, %dr0\nmov %dr0, %ebx\nmov %ebx, 0xa000\nmov %dr6, %ebx\nmov %ebx, 0xa004\n"
    "pushf\norl $0x100, (%esp)\n" RECOVER_AT(1f) "popf\ncpuid\n1: jmp guest_end\n" /* single step over an exit */

    "guest_mmio:\nmov 0xd0000000, %eax\nmov %eax, 0xa000\nmovw $7, 0xd0000010\nmovzbl 0xd0000003, %ebx\nmov $0xa000, %esi\n"
    "mov $0xd0000100, %edi\nmov $4, %ecx\nrep movsl\nadd 0xd0000200, %ebx\njmp guest_end\n"

    /* paging: 32-bit tables of the first 16 MiB at 200000, one to one, user */
    "guest_map:\nmov $0x201000, %edi\nmov $7, %eax\nmov $4096, %ecx\n1: stosl\nadd $0x1000, %eax\nloop 1b\n"
    "mov $0x200000, %edi\nxor %eax, %eax\nmov $1024, %ecx\nrep stosl\n"
    "movl $0x201007, 0x200000\nmovl $0x202007, 0x200004\nmovl $0x203007, 0x200008\nmovl $0x204007, 0x20000c\n"
    "movl $0x210007, 0x200400\nmov $0x210000, %edi\nmov $1024, %ecx\nrep stosl\n" /* 40000000: a page table at 210000 */
    "mov $0x200000, %eax\nmov %eax, %cr3\nmov %cr0, %eax\nor $0x80010000, %eax\nmov %eax, %cr0\nret\n"

    "guest_paging:\ncall guest_map\nmovl $0x300007, 0x210000\nmovl $0x1234, 0x40000000\nmov 0x300000, %eax\nmov %eax, 0xa000\n"
    "movl $0x301007, 0x210000\ninvlpg 0x40000000\nmovl $0x5678, 0x40000000\nmov 0x301000, %eax\nmov %eax, 0xa004\n"
    "movl $0, 0x210000\ninvlpg 0x40000000\n" RECOVER_AT(1f) "mov 0x40000000, %ebx\n1: mov 0x9200, %eax\nmov %eax, 0xa008\n"
    "movl $0x302005, 0x210000\n" RECOVER_AT(1f) "movl $1, 0x40000000\n1:\n"                           /* read-only */
    "mov 0x40000000, %ebx\nmov $0x302005, %eax\nmov $0x210000, %edi\nmov $16, %ecx\nrep stosl\nmov 0x40000000, %ebx\n" /* a flood of writes */
    "mov %cr0, %eax\nand $~0x10000, %eax\nmov %eax, %cr0\nmovl $2, 0x40000004\nor $0x10000, %eax\nmov %eax, %cr0\n" /* WP off */
    RECOVER_AT(1f) "movl $3, 0x40000008\n1:\n"
    "mov $0x302007, %eax\nmov $0x210000, %edi\nmov $16, %ecx\nrep stosl\n"
    "mov $0x210000, %edi\nmov $0x303007, %eax\nxchg %eax, (%edi)\nlock orl $0x200, 4(%edi)\nlock btsl $9, 8(%edi)\naddl $0x1000, 12(%edi)\n"
    "mov %cr3, %eax\nmov %eax, %cr3\nmovl $0x11, 0x40000000\nmovl $0x22, 0x40001000\nmovl $0x33, 0x40002000\nmovl $0x44, 0x40003000\n"
    "mov 0x200000, %eax\nmov %eax, 0xa00c\njmp guest_end\n"

    "guest_large:\ncall guest_map\nmov $0x10, %eax\nmov %eax, %cr4\nmovl $0x00800083, 0x200404\nmovl $0xabc, 0x40400010\nmovl $0xdef, 0x40712340\n"
    "mov 0x40712340, %eax\nmov %eax, 0xa000\nmovl $0x00c00083, 0x200404\ninvlpg 0x40400010\nmovl $0x111, 0x40400010\n"
    "movl $0xd0000083, 0x200d00\nmov 0xd0000004, %eax\nmovl %eax, 0xd0000008\nmov %eax, 0xa004\njmp guest_end\n"

    /* two address spaces that differ at 40000000 */
    "guest_switch:\ncall guest_map\nmovl $0x300007, 0x210000\nmov $0x200000, %esi\nmov $0x220000, %edi\nmov $1024, %ecx\nrep movsl\n"
    "movl $0x211007, 0x220400\nmovl $0x301007, 0x211000\nmov $5, %ecx\n1: mov $0x220000, %eax\nmov %eax, %cr3\nincl 0x40000000\n"
    "mov $0x200000, %eax\nmov %eax, %cr3\naddl $2, 0x40000000\nloop 1b\nmov %cr3, %eax\nmov %eax, 0xa000\njmp guest_end\n"

    /* ring 3 and back; a supervisor page is refused */
    "guest_user:\ncall guest_map\nmovl $0x300003, 0x210000\nmovl $0x301007, 0x210004\nmov $0x28, %ax\nltr %ax\n"
    "push $0x23\npush $0x40001ff0\npush $2\npush $0x1b\npush $(" AT(1f) ")\niret\n"
    "1: mov $0x23, %eax\nmov %eax, %ds\nmov %eax, %es\nmovl $7, 0x40001000\npush $5\npop %ebx\nsmsw %dx\nmov %edx, 0x40001008\n"
    RECOVER_AT(2f) "mov 0x40000000, %eax\n2:\n" RECOVER_AT(3f) "cli\n3:\n" RECOVER_AT(guest_back) "int $0x2e\nguest_back: mov %ebx, 0x40001004\n"
    RECOVER_AT(guest_out) "hlt\nguest_out: int $0x2d\n"

    /* PAE: the first 2 MiB by 4 KiB pages, 40000000 by 2 MiB; the pointers in pages that the guest has not touched (put_pdptes()) */
    "guest_pae:\nmov $0x230000, %edi\nxor %eax, %eax\nmov $0x4000, %ecx\nrep stosl\n"
    "movl $0x233003, 0x231000\nmovl $0x200083, 0x231008\nmov $0x233000, %edi\nmov $3, %eax\nmov $512, %ecx\n"
    "1: mov %eax, (%edi)\nadd $8, %edi\nadd $0x1000, %eax\nloop 1b\nmovl $0x600083, 0x232000\n"
    "mov $0x500000, %eax\nmov %eax, %cr3\nmov $0x20, %eax\nmov %eax, %cr4\nmov %cr0, %eax\nor $0x80010000, %eax\nmov %eax, %cr0\n"
    "movl $0x77, 0x40000020\nmovl $0x800083, 0x232000\ninvlpg 0x40000000\nmovl $0x88, 0x40000020\n" RECOVER_AT(1f) "mov 0x80000000, %eax\n1:\n"
    "mov $0x501000, %eax\nmov %eax, %cr3\nmov 0x40000020, %ebx\nmov %ebx, 0xa000\njmp guest_end\n"

    /* interrupts: timer at 1000 Hz */
    "guest_timer:\nmov $0x11, %al\nout %al, $0x20\nmov $0x20, %al\nout %al, $0x21\nmov $4, %al\nout %al, $0x21\nmov $1, %al\nout %al, $0x21\n"
    "mov $0xfe, %al\nout %al, $0x21\nmov $0x34, %al\nout %al, $0x43\nmov $0xa9, %al\nout %al, $0x40\nmov $4, %al\nout %al, $0x40\nret\n"
    "guest_irq:\ncall guest_timer\n1: sti\nhlt\ncli\ncmpl $5, 0x9080\njb 1b\njmp guest_end\n"
    "guest_busy:\ncall guest_timer\nsti\n1: incl 0xa000\ncmpl $5, 0x9080\njb 1b\ncli\nmovl $0, 0xa000\nmovl $0, 0x9080\njmp guest_end\n"
    "guest_window:\ncall guest_timer\nmov $2500000, %ecx\n1: loop 1b\nmov 0x9080, %ebx\nsti\nnop\n2: cmpl $1, 0x9080\njb 2b\ncli\nmovl $0, 0x9080\n"
    "jmp guest_end\n"

    /* task switch by far jump, and back by IRET's cousin, another jump */
    "guest_task:\nmov $0x28, %ax\nltr %ax\nljmp $0x30, $0\nguest_task_back:\nmov $0x1111, %ebx\njmp guest_end\n"
    "guest_task_2:\nmov %esp, 0xa000\nincl 0xa004\nstr %ax\nmov %eax, 0xa008\nljmp $0x28, $0\n"

    "guest_wbinvd:\nwbinvd\nrdtsc\npause\nxor %eax, %eax\nxor %edx, %edx\njmp guest_end\n"
    "guest_vmcall:\nxor %eax, %eax\nvmcall\nmov %eax, 0xa000\n" RECOVER_AT(1f) ".byte 0x0f, 0x01, 0xc4\n1: jmp guest_end\n" /* vmxoff: #UD */
    "guest_triple:\nlidt 0xa000\nint3\n"

    /* real mode first */
    ".code16\nguest_real:\nmov $0x1234, %ax\npush %ax\npop %bx\nmov %bx, 0xa000\nmov $0xb000, %di\nmov $0x20, %cx\nrep stosw\nin $0x61, %al\n"
    "cpuid\nint $0x40\ncall 1f\njmp 2f\n1: ret\n2: mov $0x9000, %ax\nmov %ax, %ds\nmov %ax, 0x10\nxor %ax, %ax\nmov %ax, %ds\n"
    "mov %cr0, %eax\nor $1, %al\nmov %eax, %cr0\n"
    ".byte 0x66, 0xea\n.long " AT(guest_protected) "\n.word 8\n"
    "guest_real_handler:\nincl 0xa010\niret\n"
    ".code32\nguest_protected:\nmov $0x10, %eax\nmov %eax, %ds\nmov %eax, %es\nmov %eax, %ss\nmov %eax, %fs\nmov %eax, %gs\n"
    "mov $0x8000, %esp\nmov $0x42, %ebp\njmp guest_end\n"
    "guest_blob_end:\n.code64\n.popsection\n");

extern const u8 guest_blob[], guest_blob_end[], guest_stubs[], guest_cpuid[], guest_io[], guest_cr[], guest_msr[], guest_exceptions[], guest_dr[],
    guest_mmio[], guest_paging[], guest_large[], guest_switch[], guest_user[], guest_pae[], guest_irq[], guest_busy[], guest_window[], guest_task[],
    guest_task_2[], guest_wbinvd[], guest_vmcall[], guest_triple[], guest_real[], guest_real_handler[], guest_end[];

static u32 at(const u8 *label) { return BASE + (label - guest_blob); }

/* --- the machine around a guest --- */

static void put64(struct vm *vm, gpa_t gpa, u64 value) { physmap_store(&vm->map, gpa, 8, value); }
static void put32(struct vm *vm, gpa_t gpa, u32 value) { physmap_store(&vm->map, gpa, 4, value); }

static void put_gdt(struct vm *vm)
{
    static const u64 gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff,
                               0x0000890000000067 | (u64)TSS_AT << 16, 0x0000890000000067 | (u64)TSS2_AT << 16 };
    for (unsigned i = 0; i < ARRAY_LEN(gdt); i++)
        put64(vm, GDT_AT + 8 * i, gdt[i]);
}

/* Vectors 2d and 2e may be raised by ring 3; 2d leads to the end. */
static void put_idt(struct vm *vm)
{
    for (unsigned v = 0; v < 48; v++) {
        u32 handler = v == 0x2d ? at(guest_end) : at(guest_stubs) + 16 * v;
        put64(vm, IDT_AT + 8 * v, (handler & 0xffff) | 8 << 16 | (u64)(v == 0x2d || v == 0x2e ? 0xee00 : 0x8e00) << 32 | (u64)(handler >> 16) << 48);
    }
}

static void put_tss(struct vm *vm)
{
    put32(vm, TSS_AT + 4, STACK_AT);
    put32(vm, TSS_AT + 8, 0x10);
    put32(vm, TSS2_AT + 4, STACK_AT - 0x800);
    put32(vm, TSS2_AT + 32, at(guest_task_2));
    put32(vm, TSS2_AT + 36, 2);
    put32(vm, TSS2_AT + 56, STACK_AT - 0x400);
    static const u8 selectors[] = { 0x10, 0x08, 0x10, 0x10, 0x10, 0x10 }; /* ES CS SS DS FS GS */
    for (unsigned i = 0; i < 6; i++)
        put32(vm, TSS2_AT + 72 + 4 * i, selectors[i]);
}

static void put_pdptes(struct vm *vm)
{
    for (gpa_t page = 0x500000; page <= 0x501000; page += PAGE_SIZE) {
        put64(vm, page, 0x231001);
        put64(vm, page + 8, 0x232001);
    }
}

/* Real mode: the code of guest_real at 0000:1000, its handler of vector 40. */
static void enter_real(struct vm *vm, struct cpu_state *s)
{
    physmap_write(&vm->map, 0x1000, guest_real, guest_blob_end - guest_real);
    put32(vm, 4 * 0x40, 0x1000 + (guest_real_handler - guest_real));
    state_reset(s);
    for (unsigned i = 0; i < SREG_COUNT; i++)
        s->seg[i].base = s->seg[i].selector = 0;
    s->rip = 0x1000;
    s->gpr[RSP] = 0x7ff0;
    s->idtr.limit = 0x3ff;
    s->gdtr = (struct dtable){ GDT_AT, 7 * 8 - 1 };
}

static struct vm *make(const struct engine_ops *engine, const char *hw, const char *kvm, const u8 *entry)
{
    struct vm_config c;
    struct error err;
    struct cpu_state s;
    vm_config_defaults(&c);
    c.engine = engine;
    c.hw = hw;
    c.kvm = kvm;
    c.ram_size = RAM;
    c.max_cycles = 8000000000;
    struct vm *vm = vm_new(&c, &err);
    if (!vm) {
        FAIL("vm_new: %s", err.text);
        return NULL;
    }
    physmap_write(&vm->map, BASE, guest_blob, guest_blob_end - guest_blob);
    put_gdt(vm);
    put_idt(vm);
    put_tss(vm);
    put_pdptes(vm);
    state_flat32(&s, at(entry), STACK_AT);
    s.gdtr = (struct dtable){ GDT_AT, 7 * 8 - 1 };
    s.idtr = (struct dtable){ IDT_AT, 48 * 8 - 1 };
    if (entry == guest_real)
        enter_real(vm, &s);
    engine->set_state(vm->vcpu[0], &s);
    return vm;
}

static void compare_segment(const struct segment *a, const struct segment *b)
{
    CHECK_EQ(b->selector, a->selector);
    CHECK_EQ(b->base, a->base);
    CHECK_EQ(b->limit, a->limit);
    CHECK_EQ(b->attr, a->attr);
}

static void compare_registers(const struct cpu_state *a, const struct cpu_state *b)
{
    for (unsigned i = 0; i < 8; i++)
        CHECK_EQ(b->gpr[i], a->gpr[i]);
    for (unsigned i = 0; i < SREG_COUNT; i++)
        compare_segment(&a->seg[i], &b->seg[i]);
    compare_segment(&a->tr, &b->tr);
    CHECK_EQ(b->rip, a->rip);
    CHECK_EQ(b->rflags, a->rflags);
    CHECK_EQ(b->cr0, a->cr0);
    CHECK_EQ(b->cr2, a->cr2);
    CHECK_EQ(b->cr3, a->cr3);
    CHECK_EQ(b->cr4, a->cr4);
    CHECK_EQ(b->sysenter_cs, a->sysenter_cs);
    CHECK_EQ(b->pat, a->pat);
    CHECK(!memcmp(b->dr, a->dr, sizeof a->dr));
    CHECK(!memcmp(b->pdpte, a->pdpte, sizeof a->pdpte));
    CHECK(!memcmp(&b->fpu, &a->fpu, sizeof a->fpu));
}

static void compare_memory(const struct vm *a, const struct vm *b)
{
    unsigned said = 0;
    for (gpa_t gpa = 0; gpa < RAM && said < 4; gpa += 4) {
        u32 x = gpa < 0xa0000 || gpa >= 0xc0000 ? physmap_load((struct physmap *)&a->map, gpa, 4) : 0;
        u32 y = gpa < 0xa0000 || gpa >= 0xc0000 ? physmap_load((struct physmap *)&b->map, gpa, 4) : 0;
        if (x == y)
            continue;
        FAIL("memory at 0x%llx: bare 0x%x, here 0x%x", (unsigned long long)gpa, x, y);
        said++;
    }
}

static const struct kvm_vcpu *model_of(const struct vm *vm) { return vm->vcpu[0]->engine_data; }

static const char *const hardware[] = { "all", "no-vpid", "no-ept-2m", "no-ept-ad", "no-ug", "none", "vpid" };

static void run_to_end(struct vm *vm)
{
    CHECK_EQ(vm_run(vm), STATUS_STOPPED);
    CHECK_CONTAINS(vm->reason, "halted with interrupts disabled");
}

static void check_alike(const char *name, const u8 *entry)
{
    struct cpu_state want, got;
    struct vm *bare = make(&bare_engine, NULL, NULL, entry);
    if (!bare)
        return;
    check_context("%s on bare", name);
    run_to_end(bare);
    bare->engine->get_state(bare->vcpu[0], &want);
    for (unsigned i = 0; i < ARRAY_LEN(hardware); i++) {
        struct vm *vm = make(&kvm_engine, hardware[i], "model", entry);
        if (!vm)
            break;
        check_context("%s, --hw=%s", name, hardware[i]);
        run_to_end(vm);
        vm->engine->get_state(vm->vcpu[0], &got);
        compare_registers(&want, &got);
        compare_memory(bare, vm);
        CHECK_EQ(vm->vcpu[0]->cpu.icount, bare->vcpu[0]->cpu.icount);
        CHECK_EQ(model_of(vm)->stuck, 0);
        vm_free(vm);
    }
    check_context(NULL);
    vm_free(bare);
}

#define ALIKE(name) static void alike_##name(void) { check_alike(#name, guest_##name); }
ALIKE(cpuid) ALIKE(io) ALIKE(cr) ALIKE(msr) ALIKE(exceptions) ALIKE(dr) ALIKE(mmio) ALIKE(paging) ALIKE(large) ALIKE(switch) ALIKE(user) ALIKE(pae)
ALIKE(task) ALIKE(wbinvd) ALIKE(real)

/* With a timer the number of instructions depends on what exits cost: registers and memory only. */
static void check_timed(const char *name, const u8 *entry)
{
    struct cpu_state want, got;
    struct vm *bare = make(&bare_engine, NULL, NULL, entry);
    check_context("%s on bare", name);
    run_to_end(bare);
    bare->engine->get_state(bare->vcpu[0], &want);
    for (unsigned i = 0; i < ARRAY_LEN(hardware); i++) {
        struct vm *vm = make(&kvm_engine, hardware[i], "model", entry);
        check_context("%s, --hw=%s", name, hardware[i]);
        run_to_end(vm);
        vm->engine->get_state(vm->vcpu[0], &got);
        compare_registers(&want, &got);
        compare_memory(bare, vm);
        CHECK(vm->ledger.count[EV_KVM_INJECT] >= 1);
        vm_free(vm);
    }
    check_context(NULL);
    vm_free(bare);
}
#define TIMED(name) static void timed_##name(void) { check_timed(#name, guest_##name); }
TIMED(irq) TIMED(busy) TIMED(window)

/* --- exits by reason --- */

struct expected { const char *name; const u8 *entry; const char *hw; enum vmx_reason reason; unsigned count; enum event event; };

static const struct expected expected[] = {
    { "cpuid", guest_cpuid, "all", REASON_CPUID, 2, EV_KVM_CPUID },
    { "hlt", guest_cpuid, "all", REASON_HLT, 1, EV_KVM_HLT },
    { "in, out, user space", guest_io, "all", REASON_IO, 5, EV_COUNT },
    { "in, kernel", guest_io, "all", REASON_IO, 5, EV_COUNT },
    { "CR, EPT: PG, VMXE and NE", guest_cr, "all", REASON_CR_ACCESS, 3, EV_KVM_CR_ACCESS },
    { "CR, no EPT", guest_cr, "none", REASON_CR_ACCESS, 6, EV_COUNT },
    { "rdmsr", guest_msr, "all", REASON_RDMSR, 2, EV_COUNT },
    { "wrmsr", guest_msr, "all", REASON_WRMSR, 2, EV_COUNT },
    { "debug registers", guest_dr, "all", REASON_DR_ACCESS, 3, EV_KVM_DR_ACCESS },
    { "exceptions do not exit", guest_exceptions, "all", REASON_EXCEPTION_NMI, 0, EV_KVM_EXCEPTION },
    { "page faults with EPT do not exit", guest_paging, "all", REASON_EXCEPTION_NMI, 0, EV_KVM_PF_TRUE },
    { "page faults without EPT", guest_paging, "none", REASON_COUNT, 3, EV_KVM_PF_TRUE },
    { "invlpg with EPT does not exit", guest_paging, "all", REASON_INVLPG, 0, EV_KVM_INVLPG },
    { "invlpg without EPT", guest_paging, "none", REASON_INVLPG, 2, EV_KVM_INVLPG },
    { "CR3 with EPT does not exit", guest_switch, "all", REASON_COUNT, 0, EV_KVM_CR3 },
    { "CR3 without EPT", guest_switch, "none", REASON_COUNT, 12, EV_KVM_CR3 },
    { "task switch", guest_task, "all", REASON_TASK_SWITCH, 2, EV_KVM_TASK_SWITCH },
    { "wbinvd", guest_wbinvd, "all", REASON_WBINVD, 1, EV_KVM_CACHE },
    { "mmio: violation, then misconfigurations", guest_mmio, "all", REASON_COUNT, 5, EV_KVM_MMIO },
    { "interrupt window", guest_window, "all", REASON_INTERRUPT_WINDOW, 1, EV_KVM_INTR_WINDOW },
    { "vmcall", guest_vmcall, "all", REASON_VMCALL, 1, EV_KVM_VMCALL },
    { "vmxoff", guest_vmcall, "all", REASON_VMXOFF, 1, EV_KVM_OTHER },
    { "real mode with unrestricted guest", guest_real, "all", REASON_COUNT, 0, EV_KVM_EMULATED },
};

static void test_reasons(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(expected); i++) {
        const struct expected *x = &expected[i];
        struct vm *vm = make(&kvm_engine, x->hw, "model", x->entry);
        check_context("%s, --hw=%s", x->name, x->hw);
        run_to_end(vm);
        if (x->reason != REASON_COUNT)
            CHECK_EQ(model_of(vm)->vmx.exits[x->reason], x->count);
        if (x->event != EV_COUNT)
            CHECK_EQ(vm->ledger.count[x->event], x->count);
        vm_free(vm);
    }
}

/* Without VPID every entry flushes the TLB; with it, none. */
static void test_vpid(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct vm *vm = make(&kvm_engine, i ? "no-vpid" : "all", "model", guest_cpuid);
        run_to_end(vm);
        u64 before = model_of(vm)->vmx.tlb_flushes;
        CHECK_EQ(before, i ? model_of(vm)->vmx.entries : 0);
        CHECK(i ? vm->vcpu[0]->cpu.mmu.tlb_flushes >= before : vm->vcpu[0]->cpu.mmu.tlb_flushes < 10);
        vm_free(vm);
    }
}

static void test_vmcall(void)
{
    struct vm *vm = make(&kvm_engine, NULL, "model", guest_vmcall);
    run_to_end(vm);
    CHECK_EQ((s32)physmap_load(&vm->map, 0xa000, 4), -1000);
    CHECK_EQ(physmap_load(&vm->map, COUNTS + 4 * VEC_UD, 4), 1);
    vm_free(vm);
}

static void test_triple_fault(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(hardware); i++) {
        struct vm *vm = make(&kvm_engine, hardware[i], "model", guest_triple);
        check_context("--hw=%s", hardware[i]);
        CHECK_EQ(vm_run(vm), STATUS_STOPPED);
        CHECK_CONTAINS(vm->reason, "triple fault");
        CHECK_EQ(model_of(vm)->vmx.exits[REASON_TRIPLE_FAULT], strcmp(hardware[i], "no-ug") != 0); /* there it happens in the emulator */
        vm_free(vm);
    }
}

/* Without unrestricted guest real mode is emulated, each instruction counted; in shadow mode page-table writes are. */
static void test_emulated(void)
{
    struct vm *vm = make(&kvm_engine, "no-ug", "model", guest_real);
    run_to_end(vm);
    CHECK(vm->ledger.count[EV_KVM_EMULATED] > 40);
    vm_free(vm);
    vm = make(&kvm_engine, "none", "model", guest_paging);
    run_to_end(vm);
    CHECK(vm->ledger.count[EV_KVM_PT_WRITE] >= 4);
    CHECK(vm->ledger.count[EV_KVM_PF_HIDDEN] >= 5);
    CHECK(model_of(vm)->shadow.unshadowed >= 1);
    vm_free(vm);
}

/* The curriculum's figures: an I/O exit 2400, to user space 6000, a CR3 write without EPT 1675, with EPT 100 (no exit). */
static void test_costs(void)
{
    struct vm *vm = make(&kvm_engine, NULL, "model", guest_cpuid);
    CHECK_EQ(vm->ledger.cost[EV_KVM_CPUID], 2400);
    CHECK_EQ(vm->ledger.cost[EV_KVM_IO_KERNEL], 2400);
    CHECK_EQ(vm->ledger.cost[EV_KVM_IO_USER], 6000);
    CHECK_EQ(vm->ledger.cost[EV_KVM_CR3], 1675);
    vm_free(vm);
}

/* The same guest twice: every count and the time are the same. */
static void test_deterministic(void)
{
    static const char *const hw[] = { "all", "none" };
    for (unsigned i = 0; i < ARRAY_LEN(hw); i++) {
        struct vm *a = make(&kvm_engine, hw[i], "model", guest_busy), *b = make(&kvm_engine, hw[i], "model", guest_busy);
        check_context("--hw=%s", hw[i]);
        run_to_end(a);
        run_to_end(b);
        CHECK_EQ(a->clock.now, b->clock.now);
        CHECK(!memcmp(a->ledger.count, b->ledger.count, sizeof a->ledger.count));
        CHECK(!memcmp(model_of(a)->vmx.exits, model_of(b)->vmx.exits, sizeof model_of(a)->vmx.exits));
        vm_free(a);
        vm_free(b);
    }
}

/* Steps one at a time end where a run ends. */
static void test_single_step(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(hardware); i++) {
        struct vm *vm = make(&kvm_engine, hardware[i], "model", guest_switch), *ran = make(&kvm_engine, hardware[i], "model", guest_switch);
        struct cpu_state want, got;
        struct exit e = { .kind = EXIT_DEBUG };
        check_context("--hw=%s", hardware[i]);
        run_to_end(ran);
        unsigned steps = 0;
        for (; e.kind == EXIT_DEBUG && steps < 100000; steps++)
            vm->engine->step(vm->vcpu[0], &e);
        CHECK_EQ(e.kind, EXIT_HLT);
        vm->engine->get_state(vm->vcpu[0], &got);
        ran->engine->get_state(ran->vcpu[0], &want);
        compare_registers(&want, &got);
        compare_memory(ran, vm);
        vm_free(vm);
        vm_free(ran);
    }
}

int main(int argc, char **argv)
{
    static const struct check tests[] = {
        { "cpuid", alike_cpuid }, { "io", alike_io }, { "cr", alike_cr }, { "msr", alike_msr }, { "exceptions", alike_exceptions },
        { "dr", alike_dr }, { "mmio", alike_mmio }, { "paging", alike_paging }, { "large", alike_large }, { "switch", alike_switch },
        { "user", alike_user }, { "pae", alike_pae }, { "task", alike_task }, { "wbinvd", alike_wbinvd }, { "real", alike_real },
        { "irq", timed_irq }, { "busy", timed_busy }, { "window", timed_window },
        { "reasons", test_reasons }, { "vpid", test_vpid }, { "vmcall", test_vmcall }, { "triple_fault", test_triple_fault }, { "emulated", test_emulated },
        { "costs", test_costs }, { "deterministic", test_deterministic }, { "single_step", test_single_step },
        { NULL, NULL },
    };
    return check_main(argc, argv, "hwassist guests", tests);
}
