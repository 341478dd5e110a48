# SPDX-License-Identifier: MIT
# An exception that only ring 0 would have had is overlooked.
# file: lab1.c
# expect: shown by segment registers | wrong answer | expected "@lab1 MOV-TO-SS betrays"
s/^    if (real->trapped || flags_differ(real, naive) || segments_differ(real, naive))$/    if (flags_differ(real, naive) || segments_differ(real, naive))/
