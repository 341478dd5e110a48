/* SPDX-License-Identifier: MIT */
/* In, an instruction that exits, and out. */
#include "world.h"

GUEST_CODE(entry, 32,
    "    mov $5, %eax; cpuid; push %eax; push %ebx; push %ecx; push %edx\n"
    "    mov $0x77, %eax; cpuid; pop %edx; pop %ecx; pop %ebx; pop %eax; hlt\n"
    "    add $1, %eax; hlt\n")

void guest_main(void)
{
    struct guest g = { .rip = CODE, .rsp = STACK, .pages = PAGES };
    LOAD_CODE(entry, 0);
    print("@lab6 start: %u\n", monitor_start(&g));
    say_end("entry", monitor_run());
    say_end("again", monitor_run());
    print("@lab6 %u entries, %u exits\n", counter(ENTRIES), counter(EXITS));
}
