/* SPDX-License-Identifier: MIT */
/* A fault without handlers. */
#include "guestcode.h"

GUEST_CODE(shutdown, 32,
    "    lidt 1f - shutdown_begin + 0x1000; mov $1, %al; out %al, $0x10; int3; mov $2, %al; out %al, $0xf4\n"
    "1:  .word 0; .long 0\n")

void guest_main(void) { RUN(shutdown, 1, 0x10000, 0); }
