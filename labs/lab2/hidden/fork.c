/* SPDX-License-Identifier: MIT */
/* Dirty pages, then all contents turned round: what may be written stays where it was. */
#include "look.h"

void guest_main(void)
{
    u32 dirty[PAGES / 32];
    struct pair pairs[PAGES / 2];
    for (u32 i = 0; i < PAGES / 32; i++)
        dirty[i] = i < 5 ? 0x00ff00f0 : 0;
    for (u32 i = 0; i < PAGES / 2; i++)
        pairs[i] = (struct pair){ i, PAGES - 1 - i };
    pages_number();
    write_protect_dirty(dirty);
    exchange(pairs, PAGES / 2);
    print("@lab2 contents: %u %u %u\n", page_number(0), page_number(100), page_number(255));
    print_readonly("where they were");
    protect(0, 70, 1);
    print_readonly("writable again");
    protect(0, 0, 0);
    print_readonly("nothing");
    exchange(pairs, 0);
    exchange(pairs, PAGES / 2);
    print("@lab2 contents: %u %u %u\n", page_number(0), page_number(100), page_number(255));
}
