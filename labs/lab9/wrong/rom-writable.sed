# SPDX-License-Identifier: MIT
# All pages may be written.
# file: lab9.c
# expect: outside | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 3c: done, 2"
s/(i < PAGES - ROM_PAGES ? SL_WRITE : 0)/SL_WRITE/
