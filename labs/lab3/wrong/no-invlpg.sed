# SPDX-License-Identifier: MIT
# INVLPG is not passed on to the processor.
# file: lab3.c
# expect: traces | wrong answer | seen "@lab3 traces: step 17, load 40000000 in ring 3: on its own tables 7de, on yours 7d0"
# expect: accessed and dirty | wrong answer | seen "@lab3 dirty: step 47, load c0002004 in ring 0: on its own tables 1011027, on yours 1011007"
# expect: tables | wrong answer | seen "@lab3 tables: step 13, load 40c00000 in ring 3: on its own tables bf4, on yours be0"
# expect: tables in few traces | wrong answer | seen "@lab3 tables: step 13, load 40c00000 in ring 3: on its own tables bf4, on yours be0"
/^void shadow_invlpg/,/^}/s/processor_flush_page(gva)/(void)gva/
