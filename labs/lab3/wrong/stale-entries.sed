# SPDX-License-Identifier: MIT
# The guest unmaps a page, and its shadow stays.
# file: lab3.c
# expect: traces | wrong answer | seen "@lab3 traces: step 13, store 40000004 in ring 3: on its own tables a fault with error 7, on yours it is stored"
# expect: accessed and dirty | wrong answer | seen "@lab3 dirty: step 47, load c0002004 in ring 0: on its own tables 1011027, on yours 1011007"
# expect: tables | wrong answer | seen "@lab3 tables: step 13, load 40c00000 in ring 3: on its own tables bf4, on yours be0"
# expect: tables in few traces | wrong answer | seen "@lab3 tables: step 13, load 40c00000 in ring 3: on its own tables bf4, on yours be0"
# expect: many | wrong answer | seen "@lab3 many: step 7, store 40005004 in ring 3: on its own tables a fault with error 7, on yours it is stored"
# expect: random | wrong answer | seen "@lab3 random: step 449, load 40406538 in ring 3: on its own tables a fault with error 4, on yours 0"
s/^        table->table\[index\] = 0;$/        (void)table->table[index];/
