# SPDX-License-Identifier: MIT
# Entries can be read and written.
# file: lab6.c
# expect: entry | time-out | still running after 20000000 guest instructions; it ended with "@lab6 start: 0"
# expect: memory | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: memory without violations | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: lazy, with a log | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: lazy, no violation too many | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: errors | time-out | still running after 20000000 guest instructions; it ended with "@lab6 guest's RFLAGS: ends with -2, 0 0 0 0|@lab6 guest's CS: ends with -2, 0 0 0 0"
# expect: 24 references | time-out | still running after 20000000 guest instructions; it ended with "@lab6 start: 0"
# expect: exits and the TLB | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: moved frames | time-out | still running after 20000000 guest instructions; it ended with ""
s/return EPT_R | EPT_X | (guest.log/return EPT_R | (guest.log/
