/* SPDX-License-Identifier: MIT */
/*
 * The fault is not expected: the kernel panics.
 * file: lab0.c
 * expect: faults | crash | the guest ended with code 99
 */
/* Lab 0: a first program that runs as a kernel. handout.md says what is to be done. */
#include "lab0.h"

void say_hello(void)
{
    u16 cs;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    print("@lab0 hello from ring %u\n", cs & 3);
}

_Bool faults(const void *address)
{
    u32 faulted = 1;
    __asm__ volatile("movl $0, %0; movb (%2), %%al; movl $0, %1; 1:" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");
    trap_resume = 0;
    return faulted;
}

u32 port_cycles(u32 n)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < n; i++)
        io_in8(0x80);
    return (u32)(rdtsc() - start) / n;
}
