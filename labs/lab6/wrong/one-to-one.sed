# SPDX-License-Identifier: MIT
# gpa and hpa are thought to be the same, but for where they begin.
# file: lab6.c
# expect: memory | wrong answer | seen "@lab6 memory: ends with -3, 0 0 0 0"
# expect: memory without violations | wrong answer | seen "@lab6 memory: ends with -3, 0 0 0 0"
# expect: lazy, with a log | wrong answer | seen "@dirty 0"
# expect: lazy, no violation too many | wrong answer | seen "@dirty 0"
# expect: 24 references | wrong answer | seen "@lab6 before: ends with -3, 0 0 0 0"
# expect: exits and the TLB | wrong answer | seen "@lab6 exits: ends with -3, 0 0 0 0"
# expect: moved frames | wrong answer | seen "@lab6 move: ends with -3, 0 0 0 0"
s/guest_frame(page) | EPT_WB/(guest_frame(0) + page * 4096ull) | EPT_WB/
