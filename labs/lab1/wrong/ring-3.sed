# SPDX-License-Identifier: MIT
# Deprivileged too far: the data segments of ring 3 do not load with a stack of ring 1.
# file: lab1.c
# expect: a harmless one | wrong answer | expected "@lab1 NOP same"
# expect: a handful | wrong answer | expected "@lab1 NOP same"
# expect: traps and harmless ones | wrong answer | expected "@lab1 STC same"
# expect: shown by registers and memory | wrong answer | expected "@lab1 SIDT betrays"
# expect: shown by the stack | wrong answer | expected "@lab1 PUSHF betrays"
# expect: shown by flags | wrong answer | expected "@lab1 POPF-IF betrays"
# expect: shown by segment registers | wrong answer | expected "@lab1 POP-DS betrays"
s/^        c->sel\[s\] = s == CS ? SEL_CODE1 : SEL_DATA1;$/        c->sel[s] = s == CS ? SEL_CODE1 : SEL_DATA3 | 3;/
