/* SPDX-License-Identifier: MIT */
/* Two pieces of memory, and what lies beside them. */
#include "guestcode.h"

GUEST_CODE(memory, 32,
    "    mov $0x40000000, %ebx; mov $0x2000, %ecx; xor %eax, %eax\n"
    "1:  mov %ecx, -4(%ebx, %ecx); add -4(%ebx, %ecx), %eax; sub $4, %ecx; jnz 1b\n"
    "    out %eax, $0x10\n"
    "    movl $0x77, 0x2000(%ebx); mov 0x2000(%ebx), %eax; out %eax, $0x10\n"
    "    mov $0xbeef, %eax; mov %eax, 0x5ffc; mov 0x5ffc, %eax; out %eax, $0x10\n"
    "    mov %eax, 0x6000; mov -4(%ebx), %al; out %al, $0x10\n"
    "    mov $5, %al; out %al, $0xf4\n")

void guest_main(void) { RUN(memory, 1, 0x6000, 0x2000); }
