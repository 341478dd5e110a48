# SPDX-License-Identifier: MIT
# The guest halts with interrupts off, and is run again and again.
# file: lab5.c
# expect: chain | time-out | still running after 20000000
# expect: halt | wrong answer | seen "@lab5 halt ends with 9"
s/return interrupt_pending() >= 0 \&\& v->run->if_flag ? GOES_ON : 0;/return interrupt_pending() >= 0 ? GOES_ON : 0;/
