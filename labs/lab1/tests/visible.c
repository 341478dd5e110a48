/* SPDX-License-Identifier: MIT */
/* What must trap, and what must not be taken for a betrayal. */
#include "lab1.h"

static const struct specimen specimens[] = {
    { "STI", { 0xfb }, 1 },
    { "IN", { 0xec }, 1 },
    { "MOV-TO-CR0", { 0x0f, 0x22, 0xc0 }, 3, .eax = 0x11 },
    { "INT-11H", { 0xcd, 0x11 }, 2 },
    { "LGDT", { 0x0f, 0x01, 0x13 }, 3 },
    { "STC", { 0xf9 }, 1 },
    { "PUSH-EAX", { 0x50 }, 1, .eax = 0x1234 },
    { "CMP", { 0x39, 0xd8 }, 2, .eax = OPERAND },
    { "POPF-SAME", { 0x9d }, 1, .stack = { 2 | EFLAGS_CF } },
    { "LAR-USER", { 0x0f, 0x02, 0xc8 }, 3, .eax = SEL_DATA3 | 3 },
};

void guest_main(void)
{
    for (u32 i = 0; i < sizeof specimens / sizeof *specimens; i++)
        stage_try(&specimens[i]);
}
