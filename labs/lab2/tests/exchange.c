/* SPDX-License-Identifier: MIT */
/* Contents change places; what was exchanged can be exchanged back, and protected. */
#include "look.h"

static const struct pair swap[] = { { 1, 2 }, { 30, 40 }, { 2, 3 } }, back[] = { { 2, 3 }, { 1, 2 } };

static void show(const char *what)
{
    print("@lab2 %s: %u %u %u %u %u\n", what, page_number(1), page_number(2), page_number(3), page_number(30), page_number(40));
}

void guest_main(void)
{
    pages_number();
    show("before");
    exchange(swap, 3);
    show("exchanged");
    protect(1, 2, 0);
    show("protected");
    print_readonly("read-only");
    exchange(back, 2);
    show("back");
}
