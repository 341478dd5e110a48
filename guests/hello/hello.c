/* SPDX-License-Identifier: MIT */
/* The smallest guest: a line on the console, and the machine is off. */
#include "kernel.h"

void guest_main(void)
{
    print("Hello from the guest.\n");
}
