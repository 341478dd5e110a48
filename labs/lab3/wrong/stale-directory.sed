# SPDX-License-Identifier: MIT
# The same with the entries of page directories.
# file: lab3.c
# expect: tables in few traces | counts | traces: 100 expected at most, seen 1046: 946 too many
# expect: many | wrong answer | seen "@lab3 many: step 10, load 40005000 in ring 3: on its own tables a fault with error 4, on yours fa1"
# expect: random | wrong answer | seen "@lab3 random: step 550, load 40000de0 in ring 3: on its own tables a fault with error 4, on yours 0"
s/^        directory_clear(&directory->table\[index\]);$/        (void)directory->table[index];/
