# SPDX-License-Identifier: MIT
# An interrupt that KVM has stays in the device.
# file: lab5.c
# expect: interrupts | output flood | more than 64 KiB of output
# expect: chain | output flood | more than 64 KiB of output
# expect: mix | output flood | more than 64 KiB of output
s/^        interrupt_taken();$//
