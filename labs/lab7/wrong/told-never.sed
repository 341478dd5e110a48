# SPDX-License-Identifier: MIT
# When the device was told last is not remembered.
# file: virtio.c
# expect: virtio: a busy device | counts | exits for 2500 batches of 4: 600 expected at most
# expect: virtio: indices of 16 bits | time-out | still running after
s/^    told = made;$//
