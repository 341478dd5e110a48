# SPDX-License-Identifier: MIT
# An empty loop is measured.
# file: lab0.c
# expect: the price of a port | wrong answer | expected "@lab0 more than nothing 1"
s/^        io_in8(0x80);$/        __asm__ volatile("");/
