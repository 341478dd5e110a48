# SPDX-License-Identifier: MIT
# KVM is never asked to come back when the guest takes interrupts again.
# file: lab5.c
# expect: interrupts | time-out | still running after 20000000 guest instructions; it ended with "@out port 20, size 1: 61|@out port 40, size 1: 2"
# expect: chain | wrong answer | seen "@out port 40, size 1: 5"
# expect: mix | wrong answer | seen "@out port 10, size 4: 4"
s/^    v->run->request_interrupt_window = .*$//
