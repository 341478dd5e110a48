# SPDX-License-Identifier: MIT
# Nobody asks whether the device is still the host's.
# file: lab9.c
# expect: groups | wrong answer | seen "@lab9 machine 1, 1 devices from 82576 VF 01:10.0 on: 0"
s/^        if (owner\[device\[i\]\] != NOBODY)$/        if (0)/
