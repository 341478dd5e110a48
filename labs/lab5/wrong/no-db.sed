# SPDX-License-Identifier: MIT
# The flat code segment is one of 16 bits.
# file: lab5.c
# expect: mmio | wrong answer | seen "@out port 10, size 2: 5600"
# expect: memory | wrong answer | seen "@read ffb9, size 1: 0"
# expect: mix | wrong answer | seen "@lab5 mix ends with -1"
s/\.db = 1, //
