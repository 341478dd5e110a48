# SPDX-License-Identifier: MIT
# Page tables that the kernel could still store into: Xen does not take them.
# file: lab4.c
# expect: one process | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: two processes | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: fork | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: save and restore | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: fork of 64 pages in 150 hypercalls | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: fork of 64 pages in 40 | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: fork of 64 pages in 20 | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: generations | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
# expect: generations in few hypercalls | crash | the guest ended with code 99; its console with "panic: Xen refuses a call"
s/^    protect(s, 0);$//
