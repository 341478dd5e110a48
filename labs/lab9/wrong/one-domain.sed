# SPDX-License-Identifier: MIT
# Both machines have one domain: the IOTLB cannot tell their pages apart.
# file: lab9.c
# expect: two machines | wrong answer | seen "@dma 82576 VF 01:10.2 read of page 0: done, 0"
s/return vm + 1; }/return 1; }/
