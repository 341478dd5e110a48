# SPDX-License-Identifier: MIT
# The user bit is missing in the entries of user pages.
# file: lab4.c
# expect: one process | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: two processes | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: fork | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: save and restore | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: fork of 64 pages in 150 hypercalls | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: fork of 64 pages in 40 | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: fork of 64 pages in 20 | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: generations | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
# expect: generations in few hypercalls | crash | the guest ended with code 99; its console with "page fault at 40000000, error 5|panic: a page fault that nobody expected"
s/PTE_PRESENT | PTE_USER | (m/PTE_PRESENT | (m/
