# SPDX-License-Identifier: MIT
# LAR, VERR and VERW speak by ZF only.
# file: lab1.c
# expect: shown by flags | wrong answer | expected "@lab1 VERR betrays"
s/^    const u32 everybody = EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_DF | EFLAGS_OF, system = EFLAGS_IF | EFLAGS_IOPL;$/    const u32 everybody = EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_SF | EFLAGS_DF | EFLAGS_OF, system = EFLAGS_IF | EFLAGS_IOPL;/
