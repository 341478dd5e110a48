# SPDX-License-Identifier: MIT
# A space ends, and its tables stay pinned.
# file: lab4.c
# expect: two processes | crash | the guest ended with code 99; its console with "@lab4 two: 80 1500|panic: Xen refuses a call"
# expect: fork of 64 pages in 150 hypercalls | crash | the guest ended with code 99; its console with "@lab4 cost: 192panic: Xen refuses a call"
# expect: fork of 64 pages in 40 | crash | the guest ended with code 99; its console with "@lab4 cost: 192panic: Xen refuses a call"
# expect: fork of 64 pages in 20 | crash | the guest ended with code 99; its console with "@lab4 cost: 192panic: Xen refuses a call"
# expect: generations | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: generations in few hypercalls | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
/^void port_space_destroy/,/^}/s/^    add_mmuext(&unpin, 1);$/    (void)unpin;/
