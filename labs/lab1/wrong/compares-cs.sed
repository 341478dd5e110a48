# SPDX-License-Identifier: MIT
# CS has RPL 1 in the naive run: taken for a betrayal although nobody looked.
# file: lab1.c
# expect: a harmless one | wrong answer | expected "@lab1 NOP same"
# expect: a handful | wrong answer | expected "@lab1 NOP same"
# expect: traps and harmless ones | wrong answer | expected "@lab1 STC same"
# expect: shown by registers and memory | wrong answer | expected "@lab1 LSL-SAME same"
# expect: shown by the stack | wrong answer | expected "@lab1 PUSH-IMMEDIATE same"
# expect: shown by flags | wrong answer | expected "@lab1 POPF-CF same"
# expect: shown by segment registers | wrong answer | expected "@lab1 POP-DS-SAME same"
/^        if (loaded && (real->end\.sel\[s\] != naive->end\.sel\[s\] || real->limit\[s\] != naive->limit\[s\]))$/d
s/^        _Bool loaded = real->end\.sel\[s\] != real->start\.sel\[s\] || naive->end\.sel\[s\] != naive->start\.sel\[s\];$/        if ((real->end.sel[s] != naive->end.sel[s] || real->limit[s] != naive->limit[s]))/
