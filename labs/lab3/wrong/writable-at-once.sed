# SPDX-License-Identifier: MIT
# What is mapped by a load may be stored to: the guest never gets its D bit.
# file: lab3.c
# expect: fill | wrong answer | seen "@lab3 fill: in the end memory at gpa 1002008 is 1012023; the processor itself leaves 1012063"
# expect: accessed and dirty | wrong answer | seen "@lab3 dirty: step 10, load c0002008 in ring 0: on its own tables 1012067, on yours 1012027"
# expect: spaces | wrong answer | seen "@lab3 spaces: in the end memory at gpa 1001004 is 1021027; the processor itself leaves 1021067"
# expect: spaces in few hidden faults | wrong answer | seen "@lab3 spaces: in the end memory at gpa 1001004 is 1021027; the processor itself leaves 1021067"
# expect: random | wrong answer | seen "@lab3 random: step 1813, load c000c008 in ring 0: on its own tables 102b067, on yours 102b027"
s/!(pte & PTE_DIRTY) || //
