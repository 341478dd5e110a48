# SPDX-License-Identifier: MIT
# A loop that does not end: of words, counted down past 0.
# file: lab1.c
# expect: a harmless one | time-out | still running after 20000000 guest instructions
# expect: a handful | time-out | still running after 20000000 guest instructions
# expect: traps and harmless ones | time-out | still running after 20000000 guest instructions
# expect: shown by registers and memory | time-out | still running after 20000000 guest instructions
# expect: shown by the stack | time-out | still running after 20000000 guest instructions
# expect: shown by flags | time-out | still running after 20000000 guest instructions
# expect: shown by segment registers | time-out | still running after 20000000 guest instructions
/^        if (a\[i\] != b\[i\])$/d
s/^    for (u32 i = 0; i < n; i++)$/    for (u32 i = n - 1; i >= 0; i--)\
        if (a[i % n] != b[i % n])/
