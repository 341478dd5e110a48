/* SPDX-License-Identifier: MIT */
/* Betrayals that a general register or memory shows. */
#include "lab1.h"

static const struct specimen specimens[] = {
    { "SIDT", { 0x0f, 0x01, 0x0b }, 3 },
    { "SLDT", { 0x0f, 0x00, 0xc0 }, 3 },
    { "STR", { 0x0f, 0x00, 0xc8 }, 3 },
    { "STR-MEMORY", { 0x0f, 0x00, 0x0b }, 3 },
    { "SMSW", { 0x0f, 0x01, 0xe0 }, 3 },
    { "LSL-USER", { 0x0f, 0x03, 0xc8 }, 3, .eax = SEL_USER },
    { "LSL-SAME", { 0x0f, 0x03, 0xc8 }, 3, .eax = SEL_DATA3 },
    { "MOV-SS", { 0x8c, 0xd1 }, 2 },
    { "XCHG", { 0x93 }, 1, .eax = 7 },
};

void guest_main(void)
{
    for (u32 i = 0; i < sizeof specimens / sizeof *specimens; i++)
        stage_try(&specimens[i]);
}
