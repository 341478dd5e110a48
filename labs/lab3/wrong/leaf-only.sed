# SPDX-License-Identifier: MIT
# The page table decides alone: the directory's rights are not looked at.
# file: lab3.c
# expect: fill | wrong answer | seen "@lab3 fill: step 6, store 40400000 in ring 0: on its own tables a fault with error 3, on yours it is stored"
# expect: random | wrong answer | seen "@lab3 random: step 727, store 408087c0 in ring 3: on its own tables a fault with error 7, on yours it is stored"
s/u32 both = pde & pte, /u32 both = pte | (pde \& 0), /
s/| (pde & (PTE_PRESENT | PTE_WRITE | PTE_USER))/| URW_ALL/
s/^static struct shadow shadows/#define URW_ALL (PTE_PRESENT | PTE_WRITE | PTE_USER)\
static struct shadow shadows/
