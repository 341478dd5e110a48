# SPDX-License-Identifier: MIT
# Writes the table itself, as on a bare PC; Xen maps it read-only, and the address is no table of ours.
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
s/^    queue_entry(pages\[i\], frame_of.*$/    ((pte_t volatile *)0xff000000u)[i] = 0;\
&/
