# SPDX-License-Identifier: MIT
# Measured numbers are rounded.
# file: measured.csv
# expect: measured: nano-bt | wrong answer | is not what happens
s/^\(nano-bt,..\).*/\1000000/
