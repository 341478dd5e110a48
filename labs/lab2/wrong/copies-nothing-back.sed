# SPDX-License-Identifier: MIT
# exchange() does not remember which page has which frame: pages are doubled.
# file: lab2.c
# expect: exchange | wrong answer | expected "@lab2 exchanged: 2 3 1 40 30"
# expect: fork and exchange | wrong answer | expected "@lab2 contents: 255 155 0"
# expect: fork and exchange in 20 hypercalls | wrong answer | expected "@lab2 contents: 255 155 0"
s/^        frame_of\[b\] = frame;$/        (void)frame;/
