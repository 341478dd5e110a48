# SPDX-License-Identifier: MIT
# The descriptor is read once to be checked, and once to be used.
# file: lab8.c
# expect: memory that changes | wrong answer | seen "@vhost refused: a loop, before any frame"
s/^        guest_read(ring.descriptors + 16 \* d.next, &d, sizeof d);$/        u16 at = d.next;\
        guest_read(ring.descriptors + 16 * at, \&d, sizeof d);\
        guest_read(ring.descriptors + 16 * at, \&d, sizeof d);/
