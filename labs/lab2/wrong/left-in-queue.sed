# SPDX-License-Identifier: MIT
# What is in the queue at the end stays there.
# file: lab2.c
# expect: protect | wrong answer | expected "@lab2 one page: 10-10"
# expect: exchange | wrong answer | expected "@lab2 read-only: 1-2"
# expect: 256 pages in 100 hypercalls | wrong answer | expected "@lab2 all: 0-255"
# expect: 256 pages in 16 | wrong answer | expected "@lab2 all: 0-255"
# expect: 256 pages in 8 | wrong answer | expected "@lab2 all: 0-255"
# expect: 256 pages with 8 flushes | wrong answer | expected "@lab2 all: 0-255"
# expect: fork and exchange | wrong answer | expected "@lab2 writable again: 70-71 80-87 100-103 112-119 132-135 144-151"
# expect: fork and exchange in 20 hypercalls | wrong answer | expected "@lab2 writable again: 70-71 80-87 100-103 112-119 132-135 144-151"
/^void protect/,/^}/s/^    queue_flush();$//
