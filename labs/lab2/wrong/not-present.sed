# SPDX-License-Identifier: MIT
# Read-only pages are not present either.
# file: lab2.c
# expect: protect | crash | the guest ended with code 99
# expect: exchange | crash | the guest ended with code 99
# expect: dirty pages | crash | the guest ended with code 99
# expect: 256 pages in 100 hypercalls | crash | the guest ended with code 99
# expect: 256 pages in 16 | crash | the guest ended with code 99
# expect: 256 pages in 8 | crash | the guest ended with code 99
# expect: 256 pages with 8 flushes | crash | the guest ended with code 99
# expect: fork and exchange | crash | the guest ended with code 99
# expect: fork and exchange in 20 hypercalls | crash | the guest ended with code 99
s/frame_of\[i\] | PTE_PRESENT | (readonly\[i\] ? 0 : PTE_WRITE)/frame_of[i] | (readonly[i] ? 0 : PTE_PRESENT | PTE_WRITE)/
