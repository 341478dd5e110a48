/* SPDX-License-Identifier: MIT */
/*
 * A working set: pages visited round robin, so that all of them are in the TLB as long as nobody throws them out. What does is another
 * machine on the same processor, and without VPID each exit. Words of the command line (-append):
 *
 *     pages=64      size of the working set, 1 to 1024
 *     exit=40000    instructions between two exits (a port of the kernel's); 0: none but those that are not its own
 *     kilo=20000    thousand instructions to execute
 */
#define PROGRAM "tlb"
#include "measure.h"

enum { KERNEL_PORT = 0x21, MOST = 1024, VISIT = 8 /* instructions of visit()'s loop, about */ };

static u8 set[MOST][4096] __attribute__((aligned(4096)));

OPERATION u32 visit(u32 *next, u32 size, u32 n)
{
    u32 at = *next, sum = 0;
    for (; n; n--) {
        sum += *(u8 volatile *)&set[at][at & 0xfc0];
        at = at + 1 == size ? 0 : at + 1;
    }
    *next = at;
    return sum;
}

void guest_main(void)
{
    u32 size = kernel_argument("pages=", 64), every = kernel_argument("exit=", 0), kilo = kernel_argument("kilo=", 20000), next = 0;
    u32 batch = (every ? every : 1000000) / VISIT, visits = kilo * (1000 / VISIT);
    size = size < 1 ? 1 : size > MOST ? MOST : size;
    batch = batch ? batch : 1;
    for (u32 i = 0; i < size; i++)
        *(u8 volatile *)set[i] = 1;     /* backed, and walked for once */
    u64 start = rdtsc();
    for (u32 done = 0; done < visits; done += batch) {
        visit(&next, size, batch);
        if (every)
            io_in8(KERNEL_PORT);
    }
    report_n("visit", visits, rdtsc() - start, 0);
}
