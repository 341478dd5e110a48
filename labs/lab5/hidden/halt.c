/* SPDX-License-Identifier: MIT */
/* HLT with interrupts on, and none will come; one waits that cannot be delivered. */
#include "guestcode.h"

GUEST_CODE(halt, 16, "    cli; mov $0x60, %al; out %al, $0x20; hlt; mov $9, %al; out %al, $0xf4\n")

void guest_main(void) { RUN(halt, 0, 0x10000, 0); }
