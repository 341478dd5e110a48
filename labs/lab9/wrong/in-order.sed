# SPDX-License-Identifier: MIT
# The machine's memory is taken to lie in one piece.
# file: lab9.c
# expect: inside | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 5: done, 0"
# expect: outside | wrong answer | seen "@dma escaped: 1"
# expect: groups | wrong answer | seen "@lab9 0 0"
# expect: two machines | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 7: done, 0"
# expect: a machine that is gone | wrong answer | seen "@lab9 0 0 0"
s/guest_frame(vm, i) | SL_READ/(guest_frame(vm, 0) + ((u64)i << 12)) | SL_READ/
