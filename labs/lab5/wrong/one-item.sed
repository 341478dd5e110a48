# SPDX-License-Identifier: MIT
# Of an exit that brings many items only the first is taken.
# file: lab5.c
# expect: strings | wrong answer | seen "@out port 10, size 4: 69727453"
# expect: mix | wrong answer | seen "@write d0001000, size 1: 70"
s/i < v->run->io.count; i++/i < 1; i++/
