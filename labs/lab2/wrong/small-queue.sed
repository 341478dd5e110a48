# SPDX-License-Identifier: MIT
# A queue of sixteen: 256 pages take sixteen hypercalls, and four have been made before.
# file: lab2.c
# expect: 256 pages in 16 | counts | hypercalls: 16 expected at most, seen 20: 4 too many
# expect: 256 pages in 8 | counts | hypercalls: 8 expected at most, seen 20: 12 too many
# expect: 256 pages with 8 flushes | counts | TLB flushes: 8 expected at most, seen 18: 10 too many
# expect: fork and exchange in 20 hypercalls | counts | hypercalls: 20 expected at most, seen 45: 25 too many
s/QUEUE = 128/QUEUE = 16/
