/* SPDX-License-Identifier: MIT */
/* Protected mode; registers in memory, by loads and stores of all sizes, and by instructions that do both. */
#include "guestcode.h"

GUEST_CODE(mmio, 32,
    "    mov $0xd0000000, %ebx\n"
    "    movl $0x12345678, (%ebx); movw $0x9abc, 4(%ebx); movb $0xde, 9(%ebx)\n"
    "    mov (%ebx), %eax; mov %eax, 0x3000; mov 3(%ebx), %al; movzwl 4(%ebx), %ecx; movsbl 9(%ebx), %edx\n"
    "    push %edx; push %ecx; push %eax\n"
    "    addl $5, (%ebx); incw 4(%ebx); orb $1, 9(%ebx)\n"
    "    pop %eax; out %eax, $0x10; pop %eax; out %eax, $0x10; pop %eax; out %eax, $0x10\n"
    "    mov 0x3000, %eax; out %eax, $0x10\n"
    "    mov (%ebx), %eax; out %eax, $0x10\n"
    "    mov $0, %al; out %al, $0xf4\n")

void guest_main(void) { RUN(mmio, 1, 0x10000, 0); }
