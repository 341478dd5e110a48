# SPDX-License-Identifier: MIT
# The ring is written round and round; whether the other side has read is not asked.
# file: lab4.c
# expect: console | wrong answer | seen "@lab4 a line"
# expect: console in 30 notifications | wrong answer | seen "@lab4 a line"
/^void port_console/,/^}/s/^        while (.*$/        if (0)/
s/^    XENCONS_RING_IDX volatile \*consumed.*$//
