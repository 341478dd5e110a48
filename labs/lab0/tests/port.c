/* SPDX-License-Identifier: MIT */
/* The answer is between those of two loops of ours: one without the port, one with it twice. */
#include "lab0.h"

static __attribute__((noinline)) u32 of_ports(u32 n, u32 each)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < n; i++)
        for (u32 k = 0; k < each; k++)
            io_in8(0x80);
    return (u32)(rdtsc() - start) / n;
}

void guest_main(void)
{
    u32 yours = port_cycles(500), none = of_ports(500, 0), two = of_ports(500, 2);
    print("@lab0 more than nothing %u\n", yours > none + 50);
    print("@lab0 less than two %u\n", yours < two);
}
