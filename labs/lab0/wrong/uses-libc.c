/* SPDX-License-Identifier: MIT */
/*
 * printf() and its header: there is no C library in a kernel.
 * file: lab0.c
 * expect: hello, on a bare PC | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
 * expect: hello, on Xen | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
 * expect: hello, translated | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
 * expect: faults | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
 * expect: the price of a port | does not compile | lab0.c:(.text+0x15): undefined reference to `printf'
 */
/* Lab 0: a first program that runs as a kernel. handout.md says what is to be done. */
#include <stdio.h>
#include "lab0.h"

void say_hello(void)
{
    u16 cs;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    printf("@lab0 hello from ring %u\n", cs & 3);
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
