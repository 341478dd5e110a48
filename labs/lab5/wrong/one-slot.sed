# SPDX-License-Identifier: MIT
# The second piece of memory takes the first one's slot.
# file: lab5.c
# expect: memory | output flood | more than 64 KiB of output
s/add_memory(v, 1, HIGH_GPA/add_memory(v, 0, HIGH_GPA/
