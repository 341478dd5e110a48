# SPDX-License-Identifier: MIT
# MMIO is answered with 4 bytes, and written so.
# file: lab5.c
# expect: mmio | wrong answer | seen "@write d0000004, size 4: 9abc"
# expect: memory | wrong answer | seen "@read 3ffffffc, size 4: 0"
# expect: mix | wrong answer | seen "@write d0001000, size 4: 70"
s/v->run->mmio.len/4/g
