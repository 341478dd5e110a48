# SPDX-License-Identifier: MIT
# When the guest was told last is not remembered.
# file: lab8.c
# expect: suppression | counts | interrupts: 100 expected at most
s/^    told = next_used;$//
