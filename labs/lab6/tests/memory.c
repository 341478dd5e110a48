/* SPDX-License-Identifier: MIT */
/* Every page where it belongs, before and after; and the end of memory. */
#include "world.h"

GUEST_CODE(memory, 32,
    "    mov $0x20000, %esi; xor %eax, %eax\n"
    "1:  add (%esi), %eax; movl %esi, 8(%esi); add $0x1000, %esi; cmp $0x60000, %esi; jne 1b\n"
    "    hlt\n"
    "    mov 0x60000, %ebx; hlt\n")

void guest_main(void)
{
    struct guest g = { .rip = CODE, .rsp = STACK, .pages = 0x60 };
    LOAD_CODE(memory, 0);
    for (u32 i = 0x20; i < 0x60; i++)
        guest_write(i << 12, i * i);
    monitor_start(&g);
    say_end("memory", monitor_run());
    for (u32 i = 0x20; i < 0x60; i++)
        if (guest_read(i * 4096 + 8) != i * 4096)
            print("@lab6 page %u has %x\n", i, guest_read(i * 4096 + 8));
    say_end("beyond", monitor_run());
    print("@count violations %u\n", counter(VIOLATIONS));
}
