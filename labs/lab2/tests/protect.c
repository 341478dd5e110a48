/* SPDX-License-Identifier: MIT */
/* Ranges become read-only and writable again. */
#include "look.h"

void guest_main(void)
{
    pages_number();
    protect(10, 1, 0);
    print_readonly("one page");
    protect(100, 50, 0);
    print_readonly("and fifty");
    protect(120, 10, 1);
    print_readonly("with a hole");
    protect(0, PAGES, 1);
    print_readonly("all writable");
}
