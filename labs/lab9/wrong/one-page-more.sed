# SPDX-License-Identifier: MIT
# One page too many is mapped.
# file: lab9.c
# expect: outside | wrong answer | seen "@dma 82576 VF 01:10.0 read of page 40: done, 0"
s/for (u32 i = 0; i < PAGES; i++)/for (u32 i = 0; i <= PAGES; i++)/
