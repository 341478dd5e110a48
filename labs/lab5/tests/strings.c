/* SPDX-License-Identifier: MIT */
/* String instructions: one exit may bring many items. */
#include "guestcode.h"

GUEST_CODE(strings, 16,
    "    cld; mov $0xe9, %dx; mov $(strings_text - strings_begin + 0x1000), %si; mov $19, %cx; rep outsb\n"
    "    mov $0x10, %dx; mov $(strings_text - strings_begin + 0x1000), %si; mov $5, %cx; rep outsl\n"
    "    mov $3, %cx; rep outsw\n"
    "    mov $0x30, %dx; mov $0x4000, %di; mov $6, %cx; rep insw\n"
    "    mov $0x10, %dx; mov $0x4000, %si; mov $6, %cx; rep outsw\n"
    "    outsb\n"
    "    hlt\n"
    "strings_text: .ascii \"Strings come whole\\nand more than that, and more\"\n")

void guest_main(void) { RUN(strings, 0, 0x10000, 0); }
