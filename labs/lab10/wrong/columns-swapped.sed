# SPDX-License-Identifier: MIT
# Two columns were swapped.
# file: measured.csv
# expect: measured: nano-bt | wrong answer | is not what happens
# expect: measured: nano-pv | wrong answer | is not what happens
s/^nano-bt,/nano-x,/
s/^nano-pv,/nano-bt,/
s/^nano-x,/nano-pv,/
