# SPDX-License-Identifier: MIT
# An interrupt that KVM has stays in the device.
# file: lab5.c
# expect: interrupts | time-out | still running after 20000000
# expect: chain | time-out | still running after 20000000
# expect: mix | time-out | still running after 20000000
s/^        interrupt_taken();$//
