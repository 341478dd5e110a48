# SPDX-License-Identifier: MIT
# One hypercall for each call, none of them batched.
# file: lab4.c
# expect: fork of 64 pages in 20 | counts | hypercalls: 20 expected at most, seen 26: 6 too many
# expect: generations in few hypercalls | counts | hypercalls: 540 expected at most, seen 678: 138 too many
s/^    if (nupdates)$/    for (u32 i = 0; i < ncalls; i++)\
        hypercall2(__HYPERVISOR_multicall, \&call[i], 1);\
    ncalls = 0;\
&/
