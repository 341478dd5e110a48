# SPDX-License-Identifier: MIT
# An interrupt for each chain.
# file: lab8.c
# expect: batches | counts | interrupts: 30 expected at most
# expect: suppression | counts | interrupts: 100 expected at most
s/^    if ((u16)(next_used - event - 1) .*$/    (void)event, (void)before;/
