# SPDX-License-Identifier: MIT
# After an exchange all pages are writable.
# file: lab2.c
# expect: fork and exchange | wrong answer | expected "@lab2 where they were: 4-7 16-23 36-39 48-55 68-71 80-87 100-103 112-119 132-135 144-151"
# expect: fork and exchange in 20 hypercalls | wrong answer | expected "@lab2 where they were: 4-7 16-23 36-39 48-55 68-71 80-87 100-103 112-119 132-135 144-151"
s/^        frame_of\[b\] = frame;$/&\
        readonly[a] = readonly[b] = 0;/
