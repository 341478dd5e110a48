# SPDX-License-Identifier: MIT
# TDT is written, and a report asked for, for each frame.
# file: e1000.c
# expect: e1000: exits of a batch | counts | exits for 64 batches of 64: 400 expected at most
# expect: e1000: more than the ring | counts | exits for 9000 frames in batches that no ring holds: 100 expected at most
s/^    fill(frame, len, CMD_EOP | CMD_IFCS);$/    fill(frame, len, CMD_EOP | CMD_IFCS | CMD_RS);\
    shown = made;\
    reg_write(TDT, made % RING);/
