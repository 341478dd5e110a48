# SPDX-License-Identifier: MIT
# 1 where there was no fault.
# file: lab0.c
# expect: faults | wrong answer | expected "@lab0 page 0"
s/^    return faulted;$/    return !faulted;/
