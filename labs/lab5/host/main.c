/* SPDX-License-Identifier: MIT */
/* A test as a program of the host: its guest_main() is ours. */
#include <stdio.h>

void guest_main(void);

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    guest_main();
    return 0;
}
