# SPDX-License-Identifier: MIT
# The instruction that was emulated is executed again.
# file: lab6.c
# expect: entry | time-out | still running after 20000000 guest instructions; it ended with "@lab6 start: 0"
# expect: errors | time-out | still running after 20000000 guest instructions; it ended with "@lab6 guest's RFLAGS: ends with -2, 0 0 0 0|@lab6 guest's CS: ends with -2, 0 0 0 0"
# expect: exits and the TLB | time-out | still running after 20000000 guest instructions; it ended with ""
/^static void on_cpuid/,/^}/s/^    skip_instruction();$//
