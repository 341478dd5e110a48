# SPDX-License-Identifier: MIT
# What has been shown to the device counts as done.
# file: virtio.c
# expect: virtio: frames | wrong answer | seen "@wire 253 frames, 0 spoiled, 50 out of order"
# expect: virtio: two in a thousand | wrong answer | seen "@wire 9851 frames, 0 spoiled, 10 out of order"
# expect: virtio: a busy device | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: virtio: more than the ring | wrong answer | seen "@wire 10000 frames, 0 spoiled, 16 out of order"
# expect: virtio: indices of 16 bits | wrong answer | seen "@wire 62880 frames, 0 spoiled, 3081 out of order"
# expect: virtio: one at a time | wrong answer | seen "@wire 2 frames, 0 spoiled, 2 out of order"
s/return finished += .*$/return finished = told;/
