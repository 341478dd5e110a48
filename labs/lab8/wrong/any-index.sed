# SPDX-License-Identifier: MIT
# The index is believed.
# file: lab8.c
# expect: bad index | wrong answer | seen "@vhost 168 frames, 148 spoiled"
s/^        if (waiting > ring.size)$/        if (0)/
