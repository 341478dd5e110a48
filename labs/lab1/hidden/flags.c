/* SPDX-License-Identifier: MIT */
/* Betrayals that only the flags show, and flags that show nothing. */
#include "lab1.h"

static const struct specimen specimens[] = {
    { "POPF-IF", { 0x9d }, 1, .stack = { 2 | EFLAGS_IF } },
    { "POPF-IOPL", { 0x9d }, 1, .stack = { 2 | EFLAGS_IOPL } },
    { "POPF-CF", { 0x9d }, 1, .stack = { 2 | EFLAGS_CF } },
    { "LAR", { 0x0f, 0x02, 0xc8 }, 3, .eax = SEL_DATA0 },
    { "VERR", { 0x0f, 0x00, 0xe0 }, 3, .eax = SEL_DATA0 },
    { "VERW", { 0x0f, 0x00, 0xe8 }, 3, .eax = SEL_DATA0 },
    { "VERW-USER", { 0x0f, 0x00, 0xe8 }, 3, .eax = SEL_DATA3 },
    { "IRET", { 0xcf }, 1, .stack = { TARGET, SEL_CONFORMING | 1, 2, 0, 0 } },
    { "STD", { 0xfd }, 1 },
};

void guest_main(void)
{
    for (u32 i = 0; i < sizeof specimens / sizeof *specimens; i++)
        stage_try(&specimens[i]);
}
