# SPDX-License-Identifier: MIT
# Nobody looks whether the ring has room.
# file: virtio.c
# expect: virtio: more than the ring | time-out | still running after
s/^    if (made - finished == VRING_SIZE .*$/    if (0) {/
