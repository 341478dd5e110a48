# SPDX-License-Identifier: MIT
# ICR is not read, so the line stays up.
# file: e1000.c
# expect: e1000: frames | time-out | still running after
# expect: e1000: exits of a batch | time-out | still running after
# expect: e1000: more than the ring | time-out | still running after
s/^    reg_read(ICR);      .*$//
