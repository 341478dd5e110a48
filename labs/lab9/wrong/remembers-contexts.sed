# SPDX-License-Identifier: MIT
# The context entry goes; the IOMMU has it in its cache.
# file: lab9.c
# expect: a machine that is gone | wrong answer | seen "@dma 82576 VF 01:10.0 write of page 7: done, 2"
/^void vm_release/,/^}/s/^    forget_domain(vm);$/    forget_translations(vm);/
