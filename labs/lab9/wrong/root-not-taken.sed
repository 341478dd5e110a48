# SPDX-License-Identifier: MIT
# RTADDR is written, and the IOMMU is not told to take it.
# file: lab9.c
# expect: inside | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 5: refused, 0"
# expect: outside | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 3c: refused, 0"
# expect: groups | wrong answer | seen "@dma 82540EM 03:01.0 write of page 1: refused, 5"
# expect: two machines | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 0: refused, 0"
# expect: pages taken back | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: refused, 1"
# expect: a machine that is gone | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: refused, 1"
s/^    iommu_write(GCMD, 4, GCMD_SRTP);$//
