# SPDX-License-Identifier: MIT
# CPUID's results go into RAX, RCX, RDX, RBX: the order of their numbers.
# file: lab6.c
# expect: entry | wrong answer | seen "@lab6 entry: ends with 0, 51 54 52 53"
# expect: errors | wrong answer | seen "@lab6 all well: ends with 0, 11 14 12 13"
# expect: exits and the TLB | wrong answer | seen "@lab6 exits: ends with 0, 11 14 12 13"
s/{ 0, 3, 1, 2 }/{ 0, 1, 2, 3 }/
