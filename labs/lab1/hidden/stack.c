/* SPDX-License-Identifier: MIT */
/* Betrayals that only the stack shows. */
#include "lab1.h"

static const struct specimen specimens[] = {
    { "PUSHF", { 0x9c }, 1 },
    { "PUSH-CS", { 0x0e }, 1 },
    { "PUSH-GS", { 0x0f, 0xa8 }, 2 },
    { "CALL-CONFORMING", { 0x9a, 0x00, 0x08, 0x02, 0x00, SEL_CONFORMING, 0x00 }, 7 },
    { "PUSH-IMMEDIATE", { 0x6a, 0x7f }, 2 },
};

void guest_main(void)
{
    for (u32 i = 0; i < sizeof specimens / sizeof *specimens; i++)
        stage_try(&specimens[i]);
}
