# SPDX-License-Identifier: MIT
# Nobody asks who else is in the group.
# file: lab9.c
# expect: groups | wrong answer | seen "@lab9 machine 0, 1 devices from 82540EM 03:01.0 on: 0"
s/is_wanted(d, device, n))$/is_wanted(d, device, n) \&\& 0)/
