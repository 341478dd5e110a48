/* SPDX-License-Identifier: MIT */
/* Real mode: a character at a time, and a number for the end. */
#include "guestcode.h"

GUEST_CODE(hello, 16,
    "    xor %ax, %ax; mov %ax, %ds; mov %ax, %ss\n"
    "    mov $(hello_text - hello_begin + 0x1000), %si\n"
    "1:  lodsb; test %al, %al; jz 2f; out %al, $0xe9; jmp 1b\n"
    "2:  push %ax; mov $42, %al; out %al, $0xf4\n"
    "hello_text: .asciz \"Hello, monitor\\n\"\n")

void guest_main(void) { RUN(hello, 0, 0x10000, 0); }
