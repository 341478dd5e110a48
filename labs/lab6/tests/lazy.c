/* SPDX-License-Identifier: MIT */
/* Entries when they are needed; and the log of pages that were stored to. */
#include "world.h"

GUEST_CODE(lazy, 32,
    "    mov $0x20000, %esi\n"
    "1:  add (%esi), %eax; add $0x1000, %esi; cmp $0x30000, %esi; jne 1b\n"
    "    movl $1, 0x22000; movl $2, 0x29ffc; addl $3, 0x22010; incl 0x40000; movl $4, 0x40004; mov 0x22000, %ebx; hlt\n"
    "    movl $5, 0x41000; mov 0x41000, %ecx; hlt\n")

void guest_main(void)
{
    struct guest g = { .rip = CODE, .rsp = STACK, .pages = PAGES, .lazy = 1, .log = 1 };
    LOAD_CODE(lazy, 0);
    monitor_start(&g);
    say_end("lazy", monitor_run());
    say_end("again", monitor_run());
    print("@lab6 in memory: %x %x %x\n", guest_read(0x22010), guest_read(0x29ffc), guest_read(0x40000));
    print("@count violations %u\n", counter(VIOLATIONS));
}
