# SPDX-License-Identifier: MIT
# LSL of a segment that the monitor has left as it is, and LAR with RPL 3.
# file: experiments.c
# expect: experiments: LAR to PUSH | wrong answer | expected "@lab1 LSL betrays"
s/^    { "LSL", { 0x0f, 0x03, 0xc8 }, 3, \.eax = SEL_USER },$/    { "LSL", { 0x0f, 0x03, 0xc8 }, 3, .eax = SEL_DATA3 },/
