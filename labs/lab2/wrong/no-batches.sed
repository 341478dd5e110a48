# SPDX-License-Identifier: MIT
# One hypercall for each page: right answers, at the price of 1999.
# file: lab2.c
# expect: 256 pages in 100 hypercalls | counts | hypercalls: 100 expected at most, seen 260: 160 too many
# expect: 256 pages in 16 | counts | hypercalls: 16 expected at most, seen 260: 244 too many
# expect: 256 pages in 8 | counts | hypercalls: 8 expected at most, seen 260: 252 too many
# expect: 256 pages with 8 flushes | counts | TLB flushes: 8 expected at most, seen 258: 250 too many
# expect: fork and exchange in 20 hypercalls | counts | hypercalls: 20 expected at most, seen 646: 626 too many
s/QUEUE = 128/QUEUE = 1/
