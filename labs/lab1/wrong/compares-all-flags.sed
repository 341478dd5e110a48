# SPDX-License-Identifier: MIT
# EFLAGS are compared whole, and IF differs from the beginning.
# file: lab1.c
# expect: a harmless one | wrong answer | expected "@lab1 NOP same"
# expect: a handful | wrong answer | expected "@lab1 NOP same"
# expect: traps and harmless ones | wrong answer | expected "@lab1 STC same"
# expect: shown by registers and memory | wrong answer | expected "@lab1 LSL-SAME same"
# expect: shown by the stack | wrong answer | expected "@lab1 PUSH-IMMEDIATE same"
# expect: shown by flags | wrong answer | expected "@lab1 POPF-IF betrays"
# expect: shown by segment registers | wrong answer | expected "@lab1 POP-DS-SAME same"
/^    return ((real->end\.eflags \^ naive->end\.eflags) & everybody) || ((did \^ did_naively) & system);$/d
s/^    u32 did = real->end\.eflags \^ real->start\.eflags, did_naively = naive->end\.eflags \^ naive->start\.eflags;$/    return ((real->end.eflags ^ naive->end.eflags) \& (everybody | system)) != 0;/
