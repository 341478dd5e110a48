/* SPDX-License-Identifier: MIT */
/* Pages go to other frames while the guest sleeps: those of data, of code, and of its page tables. */
#include "world.h"

GUEST_CODE(move, 64,
    "1:  mov 0x20000, %eax; incl 0x20000; mov 0x21000, %ebx; incl 0x21000; hlt; jmp 1b\n")

void guest_main(void)
{
    struct guest g = { .is_long = 1, .rip = CODE, .rsp = STACK, .cr3 = TABLES, .pages = PAGES };
    static const u8 pages[] = { 0x20, 0x21, 0x20, 1, TABLES >> 12, (TABLES >> 12) + 3 };
    LOAD_CODE(move, 1);
    guest_write(0x20000, 100);
    guest_write(0x21000, 200);
    monitor_start(&g);
    for (u32 i = 0; i < sizeof pages; i++) {
        say_end("move", monitor_run());
        world_move(pages[i]);
    }
    say_end("at last", monitor_run());
    print("@lab6 %u %u\n", guest_read(0x20000), guest_read(0x21000));
}
