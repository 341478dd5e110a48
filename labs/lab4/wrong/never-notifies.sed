# SPDX-License-Identifier: MIT
# The text is in the ring, and nobody is told.
# file: lab4.c
# expect: console | wrong answer | seen "@qqqqqqqqqqqqqqq"
# expect: console in 30 notifications | wrong answer | seen "@qqqqqqqqqqqqqqq"
/^void port_console/,/^}/s/^    notify();$//
