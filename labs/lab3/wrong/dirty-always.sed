# SPDX-License-Identifier: MIT
# Each page that is touched counts as dirty.
# file: lab3.c
# expect: fill | wrong answer | seen "@lab3 fill: in the end memory at gpa 1002004 is 1011065; the processor itself leaves 1011025"
# expect: accessed and dirty | wrong answer | seen "@lab3 dirty: step 5, load c0002004 in ring 0: on its own tables 1011027, on yours 1011067"
# expect: spaces | wrong answer | seen "@lab3 spaces: in the end memory at gpa 1014080 is 1020063; the processor itself leaves 1020023"
# expect: spaces in few hidden faults | wrong answer | seen "@lab3 spaces: in the end memory at gpa 1014080 is 1020063; the processor itself leaves 1020023"
# expect: tables | wrong answer | seen "@lab3 tables: in the end memory at gpa 1005004 is 1041065; the processor itself leaves 1041025"
# expect: tables in few traces | wrong answer | seen "@lab3 tables: in the end memory at gpa 1005004 is 1041065; the processor itself leaves 1041025"
# expect: many | wrong answer | seen "@lab3 many: in the end memory at gpa 1001014 is 1041065; the processor itself leaves 1041025"
# expect: random | wrong answer | seen "@lab3 random: step 3210, load c000c00c in ring 0: on its own tables 1045021, on yours 1045061"
s/(f->error & PF_WRITE ? PTE_DIRTY : 0)/PTE_DIRTY/
