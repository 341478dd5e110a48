/* SPDX-License-Identifier: MIT */
/*
 * The whole selector instead of its low two bits.
 * file: lab0.c
 * expect: hello, on a bare PC | wrong answer | expected "@lab0 hello from ring 0"
 * expect: hello, on Xen | wrong answer | expected "@lab0 hello from ring 1"
 * expect: hello, translated | wrong answer | expected "@lab0 hello from ring 0"
 */
/* Lab 0: a first program that runs as a kernel. handout.md says what is to be done. */
#include "lab0.h"

void say_hello(void)
{
    u16 cs;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    print("@lab0 hello from ring %u\n", cs);
}

_Bool faults(const void *address)
{
    u32 faulted = 1;
    __asm__ volatile("movl $1f, %0; movb (%2), %%al; movl $0, %1; 1:" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");
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
