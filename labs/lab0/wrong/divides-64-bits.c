/* SPDX-License-Identifier: MIT */
/*
 * A 64-bit division, for which a guest has no library.
 * file: lab0.c
 * expect: hello, on a bare PC | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
 * expect: hello, on Xen | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
 * expect: hello, translated | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
 * expect: faults | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
 * expect: the price of a port | does not compile | lab0.c:(.text+0x9f): undefined reference to `__udivdi3'
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
    __asm__ volatile("movl $1f, %0; movb (%2), %%al; movl $0, %1; 1:" : "=m"(trap_resume), "+m"(faulted) : "r"(address) : "eax", "memory");
    trap_resume = 0;
    return faulted;
}

u32 port_cycles(u32 n)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < n; i++)
        io_in8(0x80);
    return (rdtsc() - start) / n;
}
