# SPDX-License-Identifier: MIT
# A new page table's own older mappings stay writable: what the guest stores there is never seen.
# file: lab3.c
# expect: traces | wrong answer | seen "@lab3 traces: step 13, store 40000004 in ring 3: on its own tables a fault with error 7, on yours it is stored"
# expect: tables | wrong answer | seen "@lab3 tables: step 13, load 40c00000 in ring 3: on its own tables bf4, on yours be0"
# expect: tables in few traces | wrong answer | seen "@lab3 tables: step 13, load 40c00000 in ring 3: on its own tables bf4, on yours be0"
# expect: random | wrong answer | seen "@lab3 random: step 449, load 40406538 in ring 3: on its own tables a fault with error 4, on yours 0"
s/^        trace(gpa);$//
