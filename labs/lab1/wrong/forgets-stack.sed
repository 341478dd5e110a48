# SPDX-License-Identifier: MIT
# Only registers and memory are compared: PUSH has nowhere to show.
# file: lab1.c
# expect: shown by the stack | wrong answer | expected "@lab1 PUSHF betrays"
s/^    return words_differ(real->gpr, naive->gpr, 8) || words_differ(real->stack, naive->stack, 16) || words_differ(real->memory, naive->memory, 8) ? BETRAYS : SAME;$/    return words_differ(real->gpr, naive->gpr, 8) || words_differ(real->memory, naive->memory, 8) ? BETRAYS : SAME;/
