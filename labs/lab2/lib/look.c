/* SPDX-License-Identifier: MIT */
#include "look.h"

void pages_number(void)
{
    for (u32 i = 0; i < PAGES; i++)
        *(u32 volatile *)pages[i] = i;
}

u32 page_number(u32 i) { return *(u32 volatile *)pages[i]; }

/* A faulting store continues at trap_resume, with nothing stored. */
_Bool page_is_readonly(u32 i)
{
    u32 volatile *word = (u32 volatile *)&pages[i][64];
    u32 before = *word;
    __asm__ volatile("movl $1f, %0; movl %2, %1; 1:" : "=m"(trap_resume), "+m"(*word) : "r"(before + 1) : "memory");
    trap_resume = 0;
    return *word == before;
}

void print_readonly(const char *what)
{
    u32 ranges = 0;
    print("@lab2 %s:", what);
    for (u32 i = 0; i < PAGES; i++) {
        u32 first = i;
        while (i < PAGES && page_is_readonly(i))
            i++;
        if (i > first && ++ranges <= 16)
            print(" %u-%u", first, i - 1);
    }
    print(ranges ? "\n" : " none\n");
}
