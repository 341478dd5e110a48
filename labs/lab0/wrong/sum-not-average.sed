# SPDX-License-Identifier: MIT
# The cycles of all accesses together.
# file: lab0.c
# expect: the price of a port | wrong answer | expected "@lab0 less than two 1"
s/^    return (u32)(rdtsc() - start) \/ n;$/    return (u32)(rdtsc() - start);/
