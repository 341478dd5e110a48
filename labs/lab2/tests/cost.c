/* SPDX-License-Identifier: MIT */
/* How many transitions 256 pages cost. */
#include "look.h"

void guest_main(void)
{
    pages_number();
    protect(0, PAGES, 0);
    print_readonly("all");
}
