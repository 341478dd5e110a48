# SPDX-License-Identifier: MIT
# Interrupts go in whether the guest takes them or not.
# file: lab5.c
# expect: interrupts | wrong answer | seen "@interrupt 60"
# expect: chain | wrong answer | seen "@interrupt 60"
# expect: halt | wrong answer | seen "@interrupt 60"
# expect: mix | wrong answer | seen "@interrupt 70"
s/ && v->run->ready_for_interrupt_injection)/)/
