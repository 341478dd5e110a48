/* SPDX-License-Identifier: MIT */
/* Betrayals that only a segment register shows. */
#include "lab1.h"

static const struct specimen specimens[] = {
    { "POP-DS", { 0x1f }, 1, .stack = { SEL_USER } },
    { "POP-DS-SAME", { 0x1f }, 1, .stack = { SEL_DATA3 } },
    { "MOV-TO-ES", { 0x8e, 0xc0 }, 2, .eax = SEL_USER },
    { "LFS", { 0x0f, 0xb4, 0x0b }, 3, .memory = { 7, SEL_USER } },
    { "POP-SS", { 0x17 }, 1, .stack = { SEL_DATA1 } },
    { "MOV-TO-SS", { 0x8e, 0xd0 }, 2, .eax = SEL_DATA1 },
    { "JMP-CONFORMING", { 0xea, 0x00, 0x08, 0x02, 0x00, SEL_CONFORMING, 0x00 }, 7 },
    { "JMP-NEAR", { 0xe9, 0xfb, 0x07, 0x00, 0x00 }, 5 },
    { "RET-FAR", { 0xcb }, 1, .stack = { TARGET, SEL_CODE1, STACK_TOP - 16, SEL_DATA1 } },
};

void guest_main(void)
{
    for (u32 i = 0; i < sizeof specimens / sizeof *specimens; i++)
        stage_try(&specimens[i]);
}
