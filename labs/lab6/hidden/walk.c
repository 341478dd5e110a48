/* SPDX-License-Identifier: MIT */
/* 64 bits: what a TLB miss costs when every table is found through tables. */
#include "world.h"

GUEST_CODE(walk, 64, "1:  mov (%rsi), %rax; hlt; jmp 1b\n")

static void touch(const char *what, u32 gva)
{
    u32 references = counter(REFERENCES), walks = counter(WALKS);
    register_write(6, gva);
    say_end(what, monitor_run());
    print("@lab6 %u references in %u walks\n", counter(REFERENCES) - references, counter(WALKS) - walks);
}

void guest_main(void)
{
    struct guest g = { .is_long = 1, .rip = CODE, .rsp = STACK, .cr3 = TABLES, .pages = PAGES };
    LOAD_CODE(walk, 1);
    guest_write(0x20000, 0x11);
    guest_write(0x21000, 0x22);
    print("@lab6 start: %u\n", monitor_start(&g));
    for (u32 i = 0; i < 3; i++) /* until the code is known */
        register_write(6, 0x20000), say_end("before", monitor_run());
    touch("miss", 0x21000);
    touch("hit", 0x21008);
    touch("hit", 0x20000);
}
