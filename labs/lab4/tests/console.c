/* SPDX-License-Identifier: MIT */
/* Text that is longer than the ring, in one piece, and short pieces. */
#include "processes.h"

static char text[6000];

void guest_main(void)
{
    processes_start();
    for (u32 i = 0; i < sizeof text; i++)
        text[i] = i % 60 == 0 ? '@' : i % 60 == 59 ? '\n' : 'a' + i / 60 % 26;
    port_console(text, sizeof text);
    for (u32 i = 0; i < 10; i++)
        port_console("@lab4 a line\n", 13);
    port_console(text, 0);
}
