# SPDX-License-Identifier: MIT
# VMLAUNCH for every entry.
# file: lab6.c
# expect: entry | wrong answer | seen "@lab6 entry: ends with 4, 51 52 53 54"
# expect: memory | wrong answer | seen "@lab6 beyond: ends with 4, 44560 0 0 0"
# expect: memory without violations | wrong answer | seen "@lab6 beyond: ends with 4, 44560 0 0 0"
# expect: lazy, with a log | wrong answer | seen "@lab6 lazy: ends with 4, 0 0 0 0"
# expect: lazy, no violation too many | wrong answer | seen "@lab6 lazy: ends with 4, 0 0 0 0"
# expect: errors | wrong answer | seen "@lab6 all well: ends with 4, 11 12 13 14"
# expect: 24 references | wrong answer | seen "@lab6 before: ends with 4, 11 0 0 0"
# expect: exits and the TLB | wrong answer | seen "@lab6 exits: ends with 4, 11 12 13 14"
# expect: moved frames | wrong answer | seen "@lab6 move: ends with 4, 64 c8 0 0"
s/launched ? vmresume() : vmlaunch()/vmlaunch()/
