# SPDX-License-Identifier: MIT
# A number that was not measured.
# file: measured.csv
# expect: measured: tick-pv | wrong answer | is not what happens
s/^tick-pv,.*/tick-pv,50000/
