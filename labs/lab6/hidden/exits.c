/* SPDX-License-Identifier: MIT */
/* A guest that exits all the time and touches the same pages: what does it find in the TLB? */
#include "world.h"

GUEST_CODE(exits, 64,
    "    mov $60, %r8d\n"
    "1:  mov $1, %eax; cpuid; mov $0x20000, %esi\n"
    "2:  incq (%rsi); add $0x1000, %esi; cmp $0x2a000, %esi; jne 2b\n"
    "    dec %r8d; jnz 1b; hlt\n")

void guest_main(void)
{
    struct guest g = { .is_long = 1, .rip = CODE, .rsp = STACK, .cr3 = TABLES, .pages = PAGES };
    LOAD_CODE(exits, 1);
    monitor_start(&g);
    say_end("exits", monitor_run());
    print("@lab6 %u %u\n", guest_read(0x20000), guest_read(0x29000));
    print("@count walks %u\n@count flushes %u\n", counter(WALKS), counter(FLUSHES));
}
