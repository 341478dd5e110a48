# SPDX-License-Identifier: MIT
# The ring is filled to the last place: TDT is TDH, which says that it is empty.
# file: e1000.c
# expect: e1000: more than the ring | time-out | still running after
s/== RING - 1)/== RING)/
