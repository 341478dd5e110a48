/* SPDX-License-Identifier: MIT */
/* Protected mode with its own descriptor tables; interrupts that devices in memory raise, amid string output. */
#include "guestcode.h"

#define AT(label) "(" label " - mix_begin + 0x1000)"

GUEST_CODE(mix, 32,
    "    lgdt " AT("mix_gdtr") "; ljmp $8, $" AT("1f") "\n"
    "1:  mov $16, %eax; mov %eax, %ds; mov %eax, %es; mov %eax, %ss\n"
    "    mov $" AT("on_interrupt") ", %eax; mov $0x80000, %ecx; mov %ax, %cx; movl %ecx, 0x3000 + 0x70 * 8; mov $0x8e00, %ax; movl %eax, 0x3004 + 0x70 * 8\n"
    "    lidt " AT("mix_idtr") "\n"
    "    sti; mov $0xd0001000, %ebx; mov $4, %edi\n"
    "2:  movb $0x70, (%ebx)\n"
    "    cld; mov $" AT("mix_text") ", %esi; mov $12, %ecx; mov $0xe9, %edx; rep outsb\n"
    "    dec %edi; jnz 2b\n"
    "    cli; movl $0x70, (%ebx); movl $0x70, (%ebx); mov $3, %ecx\n"
    "3:  loop 3b\n"
    "    sti; nop; cli; mov 0x5000, %eax; out %eax, $0x10\n"
    "    sti; nop; nop; cli; mov 0x5000, %eax; out %eax, $0x10\n"
    "    mov $200, %al; out %al, $0xf4\n"
    "on_interrupt: push %eax; incl 0x5000; mov 0x5000, %eax; mov %eax, (%ebx, %eax, 8); pop %eax; iret\n"
    ".align 8; mix_gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
    "mix_gdtr: .word 23; .long " AT("mix_gdt") "\n"
    "mix_idtr: .word 0x3ff; .long 0x3000\n"
    "mix_text: .ascii \"mixed words\\n\"\n")

void guest_main(void) { RUN(mix, 1, 0x10000, 0); }
