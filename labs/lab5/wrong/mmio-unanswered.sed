# SPDX-License-Identifier: MIT
# A load from a device is taken for a store.
# file: lab5.c
# expect: mmio | wrong answer | seen "@write d0000000, size 4: 0"
# expect: memory | wrong answer | seen "@write 40002000, size 4: 0"
s/if (v->run->mmio.is_write)/if (1)/
