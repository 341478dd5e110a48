# SPDX-License-Identifier: MIT
# The near forms of CALL and JMP, which betray nothing.
# file: experiments.c
# expect: experiments: CALL to MOV | wrong answer | expected "@lab1 CALL betrays"
s/^    { "CALL", { 0x9a, 0x00, 0x08, 0x02, 0x00, SEL_CONFORMING, 0x00 }, 7 },$/    { "CALL", { 0xe8, 0xfb, 0x07, 0x00, 0x00 }, 5 },/
