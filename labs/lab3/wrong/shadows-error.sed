# SPDX-License-Identifier: MIT
# The guest gets the error code that the shadow gave.
# file: lab3.c
# expect: fill | wrong answer | seen "@lab3 fill: step 6, store 40400000 in ring 0: on its own tables a fault with error 3, on yours a fault with error 2"
# expect: random | wrong answer | seen "@lab3 random: step 127, store 40804c4c in ring 3: on its own tables a fault with error 7, on yours a fault with error 6"
s/^        f->guest_error = why & ~0x80000000;$/        f->guest_error = f->error;/
