# SPDX-License-Identifier: MIT
# The dearest is thought to be the cheapest.
# file: prediction.csv
# expect: predicted: hello-bt, within 10 | wrong answer | hello-bt = 90000000 is more than 10 times too large
# expect: predicted: hello-bt, within 3 | wrong answer | hello-bt = 90000000 is more than 3 times too large
# expect: predicted: hello-pv, within 10 | wrong answer | hello-pv = 80000000 is more than 10 times too large
# expect: predicted: hello-pv, within 3 | wrong answer | hello-pv = 80000000 is more than 3 times too large
# expect: predicted: hello-kvm, within 10 | wrong answer | hello-kvm = 70000000 is more than 10 times too large
# expect: predicted: hello-kvm, within 3 | wrong answer | hello-kvm = 70000000 is more than 3 times too large
# expect: predicted: tick-pv, within 10 | wrong answer | tick-pv = 60000000 is more than 10 times too large
# expect: predicted: tick-pv, within 3 | wrong answer | tick-pv = 60000000 is more than 3 times too large
# expect: predicted: the order | wrong answer | 33 of 66 pairs of prediction.csv stand in the order of measured.csv; 75 % expected
s/^hello-bt,.*/hello-bt,90000000/
s/^hello-pv,.*/hello-pv,80000000/
s/^hello-kvm,.*/hello-kvm,70000000/
s/^tick-pv,.*/tick-pv,60000000/
