# SPDX-License-Identifier: MIT
# No general register but RIP is set.
# file: lab5.c
# expect: mmio | wrong answer | seen "@write fffffffc, size 4: ffffffde"
# expect: mix | wrong answer | seen "@write fffffffc, size 4: 202"
s/, .rsp = STACK//
