# SPDX-License-Identifier: MIT
# Microseconds instead of cycles.
# file: prediction.csv
# expect: predicted: hello-bt, within 10 | wrong answer | hello-bt = 1200 is more than 10 times too small
# expect: predicted: hello-bt, within 3 | wrong answer | hello-bt = 1200 is more than 3 times too small
# expect: predicted: hello-pv, within 10 | wrong answer | hello-pv = 15 is more than 10 times too small
# expect: predicted: hello-pv, within 3 | wrong answer | hello-pv = 15 is more than 3 times too small
# expect: predicted: hello-kvm, within 10 | wrong answer | hello-kvm = 250 is more than 10 times too small
# expect: predicted: hello-kvm, within 3 | wrong answer | hello-kvm = 250 is more than 3 times too small
# expect: predicted: tick-bt, within 10 | wrong answer | tick-bt = 1500 is more than 10 times too small
# expect: predicted: tick-bt, within 3 | wrong answer | tick-bt = 1500 is more than 3 times too small
# expect: predicted: tick-pv, within 10 | wrong answer | tick-pv = 50 is more than 10 times too small
# expect: predicted: tick-pv, within 3 | wrong answer | tick-pv = 50 is more than 3 times too small
# expect: predicted: tick-kvm, within 10 | wrong answer | tick-kvm = 400 is more than 10 times too small
# expect: predicted: tick-kvm, within 3 | wrong answer | tick-kvm = 400 is more than 3 times too small
# expect: predicted: nano-bt, within 10 | wrong answer | nano-bt = 15000 is more than 10 times too small
# expect: predicted: nano-bt, within 3 | wrong answer | nano-bt = 15000 is more than 3 times too small
# expect: predicted: nano-pv, within 10 | wrong answer | nano-pv = 10000 is more than 10 times too small
# expect: predicted: nano-pv, within 3 | wrong answer | nano-pv = 10000 is more than 3 times too small
# expect: predicted: nano-kvm, within 10 | wrong answer | nano-kvm = 6000 is more than 10 times too small
# expect: predicted: nano-kvm, within 3 | wrong answer | nano-kvm = 6000 is more than 3 times too small
# expect: predicted: churn-bt, within 10 | wrong answer | churn-bt = 30000 is more than 10 times too small
# expect: predicted: churn-bt, within 3 | wrong answer | churn-bt = 30000 is more than 3 times too small
# expect: predicted: churn-pv, within 10 | wrong answer | churn-pv = 15000 is more than 10 times too small
# expect: predicted: churn-pv, within 3 | wrong answer | churn-pv = 15000 is more than 3 times too small
# expect: predicted: churn-kvm, within 10 | wrong answer | churn-kvm = 500 is more than 10 times too small
# expect: predicted: churn-kvm, within 3 | wrong answer | churn-kvm = 500 is more than 3 times too small
s/^\([a-z]*-[a-z]*,.*\)000$/\1/
