/* SPDX-License-Identifier: MIT */
/*
 * Work under a rain of interrupts: the local APIC's timer fires 150,000 times a second of a 2 GHz processor, the rate that Gordon et
 * al. (ELI, ASPLOS 2012) saw a 10 Gb/s adapter make. The line says what a given piece of work took, the interrupts within.
 */
#define PROGRAM "interrupts"
#include "measure.h"

enum { PERIOD = 13333, ITERATIONS = 10000000 };

OPERATION void work(u32 n) { LOOP(n, ) }

void guest_main(void)
{
    if (!apic_start()) {
        print("interrupts: this guest has no local APIC\n");
        return;
    }
    apic_timer(PERIOD);
    interrupts_enable();
    u64 cycles = cycles_of(work, ITERATIONS);
    interrupts_disable();
    report_n("work", 1, cycles, 0);
    print("interrupts: %u\n", apic_interrupts);
}
