/* SPDX-License-Identifier: MIT */
/* Lab 0: what your code is written against: kernel.h, which every guest program here has, and this. */
#ifndef LAB0_H
#define LAB0_H

#include "kernel.h"

/* --- what you write: lab0.c ------------------------------------------------------------------------ */

/* Print the line "@lab0 hello from ring N", where N is the ring that the processor is in: the low two bits of CS. */
void say_hello(void);
/* Make a load from `address` and return 1 if it faulted, 0 if it did not. trap_resume in kernel.h says how. */
_Bool faults(const void *address);
/* How many cycles of the guest's own clock does one access to port 0x80 take, on the average of n? Half cycles are dropped. */
u32 port_cycles(u32 n);

#endif
