# SPDX-License-Identifier: MIT
# The event is what was finished when it was looked at last: that has been passed already, and nobody wakes the driver.
# file: virtio.c
# expect: virtio: frames | time-out | still running after
# expect: virtio: two in a thousand | time-out | still running after
# expect: virtio: a busy device | time-out | still running after
# expect: virtio: more than the ring | time-out | still running after
# expect: virtio: indices of 16 bits | time-out | still running after
s/used_event = count - 1;/used_event = finished;/
s/^    while ((int)(done() - count) < 0)$/    while (ring.available.used_event = finished, (int)(done() - count) < 0)/
