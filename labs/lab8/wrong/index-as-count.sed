# SPDX-License-Identifier: MIT
# The available index is compared with a count of 32 bits.
# file: lab8.c
# expect: long | wrong answer | seen "@vhost refused: the index, behind good frames"
s/^static u16 next_available,/static u32 next_available; static u16/
s/for (u16 waiting;/for (u32 waiting;/
