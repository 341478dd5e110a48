# SPDX-License-Identifier: MIT
# The length leaves out the header.
# file: virtio.c
# expect: virtio: frames | wrong answer | seen "@wire 500 frames, 500 spoiled, 0 out of order"
# expect: virtio: two in a thousand | wrong answer | seen "@wire 10000 frames, 10000 spoiled, 0 out of order"
# expect: virtio: a busy device | wrong answer | seen "@wire 10000 frames, 10000 spoiled, 0 out of order"
# expect: virtio: more than the ring | wrong answer | seen "@wire 10000 frames, 10000 spoiled, 0 out of order"
# expect: virtio: indices of 16 bits | wrong answer | seen "@wire 70000 frames, 70000 spoiled, 0 out of order"
# expect: virtio: one at a time | wrong answer | seen "@wire 300 frames, 300 spoiled, 0 out of order"
s/VIRTIO_NET_HEADER + len;/len;/
