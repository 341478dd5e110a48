# SPDX-License-Identifier: MIT
# EPT entries change, and the processor goes on with the old ones.
# file: lab6.c
# expect: moved frames | wrong answer | seen "@lab6 move: ends with 0, adbadbad c9 0 0"
s/^    invept(1, eptp);$//
