# SPDX-License-Identifier: MIT
# The guest's entry is copied as it is.
# file: lab3.c
# expect: fill | wrong answer | seen "@lab3 fill: step 2, load 40000000 in ring 0: on its own tables 3e8, on yours 0"
# expect: traces | wrong answer | seen "@lab3 traces: step 7, load 40000000 in ring 3: on its own tables 7d0, on yours a fault with error 4"
# expect: accessed and dirty | wrong answer | seen "@lab3 dirty: step 2, load c0002000 in ring 0: on its own tables 1010007, on yours 0"
# expect: spaces | wrong answer | seen "@lab3 spaces: step 38, load 40004000 in ring 3: on its own tables 0, on yours 1020067"
# expect: spaces in few hidden faults | wrong answer | seen "@lab3 spaces: step 38, load 40004000 in ring 3: on its own tables 0, on yours 1020067"
# expect: tables | wrong answer | seen "@lab3 tables: step 7, load 40c00000 in ring 3: on its own tables be0, on yours a fault with error 4"
# expect: tables in few traces | wrong answer | seen "@lab3 tables: step 7, load 40c00000 in ring 3: on its own tables be0, on yours a fault with error 4"
# expect: many | wrong answer | seen "@lab3 many: step 2, load 40005000 in ring 3: on its own tables fa0, on yours fb1"
# expect: random | wrong answer | seen "@lab3 random: step 91, store 400056b4 in ring 0: on its own tables it is stored, on yours a fault with error 2"
s/host_frame(FRAME(pte)) | bits/FRAME(pte) | bits/
