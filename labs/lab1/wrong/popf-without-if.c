/* SPDX-License-Identifier: MIT */
/*
 * POPF of an image in which IF is clear, as the guest has it already.
 * file: experiments.c
 * expect: experiments: SGDT to POPF | wrong answer | expected "@lab1 POPF betrays"
 */
/* Lab 1, part 3: for each of the paper's 17 instructions, one experiment in which it betrays. The order is the handout's. */
#include "lab1.h"

const struct specimen experiments[17] = {
    { "SGDT", { 0x0f, 0x01, 0x03 }, 3 },                                   /* sgdt (%ebx): done for you */
    { "SIDT", { 0x0f, 0x01, 0x0b }, 3 },
    { "SLDT", { 0x0f, 0x00, 0xc0 }, 3 },
    { "SMSW", { 0x0f, 0x01, 0xe0 }, 3 },
    { "PUSHF", { 0x9c }, 1 },
    { "POPF", { 0x9d }, 1, .stack = { EFLAGS_CF } },
    { "LAR", { 0x0f, 0x02, 0xc8 }, 3, .eax = SEL_DATA0 },
    { "LSL", { 0x0f, 0x03, 0xc8 }, 3, .eax = SEL_USER },
    { "VERR", { 0x0f, 0x00, 0xe0 }, 3, .eax = SEL_DATA0 },
    { "VERW", { 0x0f, 0x00, 0xe8 }, 3, .eax = SEL_DATA0 },
    { "POP", { 0x1f }, 1, .stack = { SEL_USER } },
    { "PUSH", { 0x0e }, 1 },
    { "CALL", { 0x9a, 0x00, 0x08, 0x02, 0x00, SEL_CONFORMING, 0x00 }, 7 },
    { "JMP", { 0xea, 0x00, 0x08, 0x02, 0x00, SEL_CONFORMING, 0x00 }, 7 },
    { "RET", { 0xcb }, 1, .stack = { TARGET, SEL_CODE1, STACK_TOP - 16, SEL_DATA1 } },
    { "STR", { 0x0f, 0x00, 0xc8 }, 3 },
    { "MOV", { 0x8c, 0xc8 }, 2 },
};
