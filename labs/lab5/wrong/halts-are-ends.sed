# SPDX-License-Identifier: MIT
# HLT ends the machine, though an interrupt waits.
# file: lab5.c
# expect: interrupts | wrong answer | seen "@lab5 interrupts ends with 0"
s/return interrupt_pending() >= 0 \&\& v->run->if_flag ? GOES_ON : 0;/return 0;/
