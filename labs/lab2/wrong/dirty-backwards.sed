# SPDX-License-Identifier: MIT
# Bits are counted from the wrong end of the word.
# file: lab2.c
# expect: dirty pages | wrong answer | expected "@lab2 dirty: 0-3 64-64 95-95 255-255"
# expect: fork and exchange | wrong answer | expected "@lab2 where they were: 4-7 16-23 36-39 48-55 68-71 80-87 100-103 112-119 132-135 144-151"
# expect: fork and exchange in 20 hypercalls | wrong answer | expected "@lab2 where they were: 4-7 16-23 36-39 48-55 68-71 80-87 100-103 112-119 132-135 144-151"
s/>> (i % 32) \& 1/>> (31 - i % 32) \& 1/
