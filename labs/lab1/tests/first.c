/* SPDX-License-Identifier: MIT */
/* A handful of instructions of each kind. */
#include "lab1.h"

static const struct specimen specimens[] = {
    { "NOP", { 0x90 }, 1 },
    { "CLI", { 0xfa }, 1 },
    { "HLT", { 0xf4 }, 1 },
    { "SGDT", { 0x0f, 0x01, 0x03 }, 3 },
    { "MOV-FROM-CS", { 0x8c, 0xc8 }, 2 },
    { "ADD", { 0x01, 0xd8 }, 2, .eax = 0xffffffff },
};

void guest_main(void)
{
    for (u32 i = 0; i < sizeof specimens / sizeof *specimens; i++)
        stage_try(&specimens[i]);
}
