# SPDX-License-Identifier: MIT
# A chain has as many descriptors as it says.
# file: lab8.c
# expect: loop | time-out | still running after
s/^        if (n == ring.size)$/        if (0)/
