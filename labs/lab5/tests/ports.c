/* SPDX-License-Identifier: MIT */
/* IN and OUT in three sizes; what is read goes where it was asked for, and no further. */
#include "guestcode.h"

GUEST_CODE(ports, 16,
    "    mov $0x11223344, %eax; out %eax, $0x10; out %ax, $0x10; out %al, $0x10\n"
    "    in $0x10, %eax; mov %eax, %ebx\n"
    "    mov $0x55667788, %eax; in $0x10, %al; out %eax, $0x10\n"
    "    mov $0x55667788, %eax; in $0x10, %ax; out %eax, $0x10\n"
    "    mov $0x3fc, %dx; mov %ebx, %eax; out %eax, %dx; inc %dx; in %dx, %al\n"
    "    in $0x30, %eax; out %eax, $0x10; in $0x30, %ax; out %ax, $0x10\n"
    "    mov $7, %al; out %al, $0xf4\n")

void guest_main(void) { RUN(ports, 0, 0x10000, 0); }
