/* SPDX-License-Identifier: MIT */
/*
 * The near forms of CALL and JMP, which betray nothing.
 * file: experiments.c
 * expect: experiments: CALL to MOV | wrong answer | expected "@lab1 CALL betrays"
 */
/* Lab 1, part 3: for each of the paper's 17 instructions, one experiment in which it betrays. The order is the handout's. */
#include "lab1.h"

const struct specimen experiments[17] = {
    { "SGDT", { 0x0f, 0x01, 0x03 }, 3 },                                   /* sgdt (%ebx): done for you */
    { "SIDT", { 0x0f, 0x01, 0x0b }, 3 },
    { "SLDT", { 0x0f, 0x00, 0xc0 }, 3 },
    { "SMSW", { 0x0f, 0x01, 0xe0 }, 3 },
    { "PUSHF", { 0x9c }, 1 },
    { "POPF", { 0x9d }, 1, .stack = { EFLAGS_IF } },
    { "LAR", { 0x0f, 0x02, 0xc8 }, 3, .eax = SEL_DATA0 },
    { "LSL", { 0x0f, 0x03, 0xc8 }, 3, .eax = SEL_USER },
    { "VERR", { 0x0f, 0x00, 0xe0 }, 3, .eax = SEL_DATA0 },
    { "VERW", { 0x0f, 0x00, 0xe8 }, 3, .eax = SEL_DATA0 },
    { "POP", { 0x1f }, 1, .stack = { SEL_USER } },
    { "PUSH", { 0x0e }, 1 },
    { "CALL", { 0xe8, 0xfb, 0x07, 0x00, 0x00 }, 5 },
    { "JMP", { 0xea, 0x00, 0x08, 0x02, 0x00, SEL_CONFORMING, 0x00 }, 7 },
    { "RET", { 0xcb }, 1, .stack = { TARGET, SEL_CODE1, STACK_TOP - 16, SEL_DATA1 } },
    { "STR", { 0x0f, 0x00, 0xc8 }, 3 },
    { "MOV", { 0x8c, 0xc8 }, 2 },
};
