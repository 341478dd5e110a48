/* SPDX-License-Identifier: MIT */
#include "look.h"

void guest_main(void)
{
    static const u32 dirty[PAGES / 32] = { 0x0000000f, 0, 0x80000001, 0, 0, 0, 0, 0x80000000 };
    pages_number();
    write_protect_dirty(dirty);
    print_readonly("dirty");
}
