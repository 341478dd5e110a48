# SPDX-License-Identifier: MIT
# Nothing is put off: each entry is a transition of its own.
# file: lab4.c
# expect: fork of 64 pages in 40 | counts | hypercalls: 40 expected at most, seen 141: 101 too many
# expect: fork of 64 pages in 20 | counts | hypercalls: 20 expected at most, seen 141: 121 too many
# expect: generations in few hypercalls | counts | hypercalls: 540 expected at most, seen 1414: 874 too many
s/^    lazy = 1;$/    lazy = 0;/
