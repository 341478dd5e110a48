# SPDX-License-Identifier: MIT
# CR4.VMXE is forgotten in the guest's CR4: it is the host's, but must be there.
# file: lab6.c
# expect: entry | wrong answer | seen "@lab6 entry: ends with -2, 0 0 0 0"
# expect: memory | wrong answer | seen "@lab6 memory: ends with -2, 0 0 0 0"
# expect: memory without violations | wrong answer | seen "@lab6 memory: ends with -2, 0 0 0 0"
# expect: lazy, with a log | wrong answer | seen "@lab6 lazy: ends with -2, 0 0 0 0"
# expect: lazy, no violation too many | wrong answer | seen "@lab6 lazy: ends with -2, 0 0 0 0"
# expect: errors | wrong answer | seen "@lab6 all well: ends with -2, 0 0 0 0"
# expect: 24 references | wrong answer | seen "@lab6 before: ends with -2, 0 0 0 0"
# expect: exits and the TLB | wrong answer | seen "@lab6 exits: ends with -2, 0 0 0 0"
# expect: moved frames | wrong answer | seen "@lab6 move: ends with -2, 0 0 0 0"
s/put(VMCS_GUEST_CR4, CR4_VMXE | /put(VMCS_GUEST_CR4, /
