# SPDX-License-Identifier: MIT
# The event is the count, not the index of the last: one interrupt too late.
# file: virtio.c
# expect: virtio: frames | time-out | still running after
# expect: virtio: two in a thousand | time-out | still running after
# expect: virtio: a busy device | time-out | still running after
# expect: virtio: more than the ring | time-out | still running after
# expect: virtio: indices of 16 bits | time-out | still running after
# expect: virtio: one at a time | time-out | still running after
s/used_event = count - 1;/used_event = count;/
