# SPDX-License-Identifier: MIT
# The context entry's type: pass through.
# file: lab9.c
# expect: inside | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 5: done, 0"
# expect: outside | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 40: done, 1"
# expect: groups | wrong answer | seen "@lab9 0 0"
# expect: two machines | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 0: done, 0"
# expect: pages taken back | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: done, 3"
# expect: a machine that is gone | wrong answer | seen "@lab9 0 0 0"
s/host_write(at, tables\[vm\] | PRESENT);/host_write(at, tables[vm] | 2 << 2 | PRESENT);/
