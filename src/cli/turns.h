/* SPDX-License-Identifier: MIT */
/*
 * Machines that take turns on one modelled processor, round robin in virtual time. On kvm's model a switch is charged to the machine that
 * gets the processor, and the TLB is tagged by VPID or flushed. On pv they are domains of one Xen: who waits for an event gives the rest of
 * its slice away, and if all wait, time goes on to the first timer; so do machines that have a cable to another one.
 */
#ifndef EMU_CLI_TURNS_H
#define EMU_CLI_TURNS_H

#include "machine/vm.h"

struct turn_taker {
    struct vm *vm;
    struct timer slice;
    u64 switches, held, lost;   /* switches to it; TLB entries that it held, and had lost by then, summed */
};

/* Until all have ended, or the user interrupts. slice_ns: virtual time of one turn. */
void turns_take(struct turn_taker *all, unsigned n, u64 slice_ns);

#endif
