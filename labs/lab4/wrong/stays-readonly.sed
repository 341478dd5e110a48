# SPDX-License-Identifier: MIT
# What was a page table is never writable again.
# file: lab4.c
# expect: generations | crash | the guest ended with code 99; its console with "page fault at c0023000, error 3|panic: a page fault that nobody expected"
# expect: generations in few hypercalls | crash | the guest ended with code 99; its console with "page fault at c0023000, error 3|panic: a page fault that nobody expected"
s/^    protect(s, 1);$//
