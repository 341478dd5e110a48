# SPDX-License-Identifier: MIT
# No EOP: the adapter waits for the rest of the frame.
# file: e1000.c
# expect: e1000: frames | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: e1000: exits of a batch | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: e1000: more than the ring | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
s/fill(frame, len, CMD_EOP | CMD_IFCS);/fill(frame, len, CMD_IFCS);/
