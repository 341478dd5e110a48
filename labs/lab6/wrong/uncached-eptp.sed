# SPDX-License-Identifier: MIT
# The EPT pointer's memory type and depth are forgotten.
# file: lab6.c
# expect: entry | wrong answer | seen "@lab6 entry: ends with 7, 0 0 0 0"
# expect: memory | wrong answer | seen "@lab6 memory: ends with 7, 0 0 0 0"
# expect: memory without violations | wrong answer | seen "@lab6 memory: ends with 7, 0 0 0 0"
# expect: lazy, with a log | wrong answer | seen "@lab6 lazy: ends with 7, 0 0 0 0"
# expect: lazy, no violation too many | wrong answer | seen "@lab6 lazy: ends with 7, 0 0 0 0"
# expect: errors | wrong answer | seen "@lab6 host's TR: ends with 7, 0 0 0 0"
# expect: 24 references | wrong answer | seen "@lab6 before: ends with 7, 0 0 0 0"
# expect: exits and the TLB | wrong answer | seen "@lab6 exits: ends with 7, 0 0 0 0"
# expect: moved frames | wrong answer | seen "@lab6 move: ends with 7, 0 0 0 0"
s/ | EPTP_WB | EPTP_WALK_4;/;/
