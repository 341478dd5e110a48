/* SPDX-License-Identifier: MIT */
/* Sleep through some timer ticks, and say how long they took: what interrupts and idling cost on each engine. */
#include "kernel.h"

#define TICKS 20u
#define HZ 100u

void guest_main(void)
{
    timer_start(HZ);
    kernel_idle();      /* the first period began before the clock was read */
    u32 first = timer_ticks;
    u64 start = rdtsc();
    while (timer_ticks - first < TICKS)
        kernel_idle();
    print("@tick period %u %U\n", TICKS, rdtsc() - start);
}
