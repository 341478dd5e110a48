/* SPDX-License-Identifier: MIT */
/* A handler raises the next interrupt, which comes behind its IRET, and no earlier. */
#include "guestcode.h"

#define AT(label) "(" label " - chain_begin + 0x1000)"

GUEST_CODE(chain, 16,
    "    xor %ax, %ax; mov %ax, %ds; mov %ax, %ss; mov $0x8000, %sp\n"
    "    movw $" AT("on_60") ", 0x60 * 4; mov %ax, 0x60 * 4 + 2\n"
    "    movw $" AT("on_62") ", 0x62 * 4; mov %ax, 0x62 * 4 + 2\n"
    "    sti; mov $0x62, %al; out %al, $0x20; mov $5, %al; out %al, $0x40\n"
    "    cli; out %al, $0x20; mov $0x60, %al; out %al, $0x20; cli; hlt\n"
    "on_60: push %ax; mov $0x60, %al; out %al, $0x41; pop %ax; iret\n"
    "on_62: push %ax; mov $0x60, %al; out %al, $0x20; mov $0x62, %al; out %al, $0x41; pop %ax; iret\n")

void guest_main(void) { RUN(chain, 0, 0x10000, 0); }
