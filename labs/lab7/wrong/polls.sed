# SPDX-License-Identifier: MIT
# The processor is not given away: the used index is asked until it has moved.
# file: virtio.c
# expect: virtio: one at a time | counts | instructions, which are more when waiting is done by asking: 2600000 expected at most
/^static void wait/,/^}/s/^        kernel_idle();/        ;/
