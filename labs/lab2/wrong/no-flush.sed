# SPDX-License-Identifier: MIT
# The entries are written, and the processor goes on with its old translations.
# file: lab2.c
# expect: protect | wrong answer | expected "@lab2 one page: 10-10"
# expect: exchange | wrong answer | expected "@lab2 exchanged: 2 3 1 40 30"
# expect: dirty pages | wrong answer | expected "@lab2 dirty: 0-3 64-64 95-95 255-255"
# expect: 256 pages in 100 hypercalls | wrong answer | expected "@lab2 all: 0-255"
# expect: 256 pages in 16 | wrong answer | expected "@lab2 all: 0-255"
# expect: 256 pages in 8 | wrong answer | expected "@lab2 all: 0-255"
# expect: 256 pages with 8 flushes | wrong answer | expected "@lab2 all: 0-255"
# expect: fork and exchange | wrong answer | expected "@lab2 contents: 0 100 255"
# expect: fork and exchange in 20 hypercalls | wrong answer | expected "@lab2 contents: 0 100 255"
s/^    queue\[queued - 1\]\.args\[3\] = .*$//
