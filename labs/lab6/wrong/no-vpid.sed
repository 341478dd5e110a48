# SPDX-License-Identifier: MIT
# No VPID: each entry and exit empties the TLB.
# file: lab6.c
# expect: errors | wrong answer | seen "@lab6 no VPID: ends with 0, 11 12 13 14"
# expect: 24 references | wrong answer | seen "@lab6 48 references in 2 walks"
# expect: exits and the TLB | counts | page walks: 60 expected at most, seen 1265: 1205 too many
s/PROC2_EPT | PROC2_VPID/PROC2_EPT/
