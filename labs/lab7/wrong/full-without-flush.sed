# SPDX-License-Identifier: MIT
# The ring is full, and what is in it has not been shown.
# file: virtio.c
# expect: virtio: more than the ring | time-out | still running after
/^        flush();$/d
