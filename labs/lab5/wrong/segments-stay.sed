# SPDX-License-Identifier: MIT
# CS is left as it was at reset.
# file: lab5.c
# expect: hello | output flood | more than 64 KiB of output
# expect: ports | output flood | more than 64 KiB of output
# expect: strings | output flood | more than 64 KiB of output
# expect: interrupts | output flood | more than 64 KiB of output
# expect: chain | output flood | more than 64 KiB of output
# expect: halt | output flood | more than 64 KiB of output
s/^    s.cs.base = s.cs.selector = 0;$//
