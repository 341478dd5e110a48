# SPDX-License-Identifier: MIT
# A page is taken back in the tables; the IOTLB still has it.
# file: lab9.c
# expect: pages taken back | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: done, 3"
/^void vm_protect/,/^}/s/^    forget_translations(vm);$//
