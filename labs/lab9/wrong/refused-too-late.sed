# SPDX-License-Identifier: MIT
# Devices are taken one by one; when the refusal comes, some are gone.
# file: lab9.c
# expect: groups | wrong answer | seen "@lab9 machine 1, 2 devices from 82540EM 03:01.0 on: refused, -2"
/^static int check/,/^}/s/^        for (u32 d = 0; d < DEVICES; d++)$/        owner[device[i]] = 0;\
&/
