# SPDX-License-Identifier: MIT
# INVVPID is taken for INVEPT's sister, with a type that needs a VPID, and none given.
# file: lab6.c
# expect: moved frames | wrong answer | seen "@lab6 move: ends with 0, adbadbad c9 0 0"
s/^    invept(1, eptp);$/    invvpid(1, 0, 0);/
