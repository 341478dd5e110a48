# SPDX-License-Identifier: MIT
# POPF of an image in which IF is clear, as the guest has it already.
# file: experiments.c
# expect: experiments: SGDT to POPF | wrong answer | expected "@lab1 POPF betrays"
s/^    { "POPF", { 0x9d }, 1, \.stack = { EFLAGS_IF } },$/    { "POPF", { 0x9d }, 1, .stack = { EFLAGS_CF } },/
