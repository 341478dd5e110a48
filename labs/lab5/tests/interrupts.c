/* SPDX-License-Identifier: MIT */
/* Interrupts: when the guest takes them, and not before; without a single exit in between; and out of HLT. */
#include "guestcode.h"

#define AT(label) "(" label " - interrupts_begin + 0x1000)"

GUEST_CODE(interrupts, 16,
    "    xor %ax, %ax; mov %ax, %ds; mov %ax, %ss; mov $0x8000, %sp\n"
    "    movw $" AT("on_60") ", 0x60 * 4; mov %ax, 0x60 * 4 + 2\n"
    "    movw $" AT("on_61") ", 0x61 * 4; mov %ax, 0x61 * 4 + 2\n"
    "    mov %ax, 0x3000\n"
    /* at once */
    "    sti; mov $0x60, %al; out %al, $0x20; mov $1, %al; out %al, $0x40\n"
    /* two while they are off: none comes, however often the guest exits */
    "    cli; mov $0x60, %al; out %al, $0x20; mov $0x61, %al; out %al, $0x20; mov $2, %al; out %al, $0x40\n"
    /* on: both come, and no exit will tell when */
    "    sti\n"
    "1:  cmpw $3, 0x3000; jne 1b\n"
    "    mov $3, %al; out %al, $0x40\n"
    /* HLT is left by one */
    "    cli; mov $0x61, %al; out %al, $0x20; sti; hlt; mov $4, %al; out %al, $0x40\n"
    "    cli; hlt\n"
    "on_60: incw 0x3000; push %ax; mov $0x60, %al; out %al, $0x41; pop %ax; iret\n"
    "on_61: incw 0x3000; push %ax; mov $0x61, %al; out %al, $0x41; pop %ax; iret\n")

void guest_main(void) { RUN(interrupts, 0, 0x10000, 0); }
