# SPDX-License-Identifier: MIT
# The header is left as it was found.
# file: virtio.c
# expect: virtio: frames | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: virtio: two in a thousand | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: virtio: a busy device | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: virtio: more than the ring | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: virtio: indices of 16 bits | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
# expect: virtio: one at a time | wrong answer | seen "@wire 0 frames, 0 spoiled, 0 out of order"
/^        header\[i\] = 0;/s/= 0;/+= 0;/
