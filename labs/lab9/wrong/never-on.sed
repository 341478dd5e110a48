# SPDX-License-Identifier: MIT
# The tables are in force, but translation is not.
# file: lab9.c
# expect: inside | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 5: done, 0"
# expect: outside | wrong answer | seen "@dma 82576 VF 01:10.2 write of page 1: done, 1"
# expect: groups | wrong answer | seen "@lab9 0 0"
# expect: two machines | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 0: done, 0"
# expect: pages taken back | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: done, 3"
# expect: a machine that is gone | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: done, 2"
s/^    iommu_write(GCMD, 4, GCMD_TE);$//
