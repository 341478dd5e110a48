# SPDX-License-Identifier: MIT
# Pages of the kernel's are open to ring 3.
# file: lab3.c
# expect: fill | wrong answer | seen "@lab3 fill: step 15, load 40002000 in ring 3: on its own tables a fault with error 5, on yours 3ea"
# expect: random | wrong answer | seen "@lab3 random: step 144, load 4080478c in ring 3: on its own tables a fault with error 5, on yours 0"
s/ || (error & PF_USER && !(both & PTE_USER))//
s/| (pde & (PTE_PRESENT | PTE_WRITE | PTE_USER))/| (pde \& (PTE_PRESENT | PTE_WRITE)) | PTE_USER/
s/u32 bits = pte & (PTE_PRESENT | PTE_WRITE | PTE_USER);/u32 bits = (pte \& (PTE_PRESENT | PTE_WRITE)) | PTE_USER;/
