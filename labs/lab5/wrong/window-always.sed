# SPDX-License-Identifier: MIT
# The window is asked for all the time, and nothing ever runs.
# file: lab5.c
# expect: interrupts | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: chain | time-out | still running after 20000000 guest instructions; it ended with ""
# expect: mix | time-out | still running after 20000000 guest instructions; it ended with ""
s/request_interrupt_window = interrupt_pending() >= 0;/request_interrupt_window = 1;/
