# SPDX-License-Identifier: MIT
# Hypercalls are thought to be as dear as exits, and as many.
# file: prediction.csv
# expect: predicted: hello-pv, within 10 | wrong answer | hello-pv = 400000 is more than 10 times too large
# expect: predicted: hello-pv, within 3 | wrong answer | hello-pv = 400000 is more than 3 times too large
# expect: predicted: tick-pv, within 10 | wrong answer | tick-pv = 1200000 is more than 10 times too large
# expect: predicted: tick-pv, within 3 | wrong answer | tick-pv = 1200000 is more than 3 times too large
s/^hello-pv,.*/hello-pv,400000/
s/^tick-pv,.*/tick-pv,1200000/
