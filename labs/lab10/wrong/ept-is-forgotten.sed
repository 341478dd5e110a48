# SPDX-License-Identifier: MIT
# Page tables are thought to exit under VT-x too.
# file: prediction.csv
# expect: predicted: churn-kvm, within 10 | wrong answer | churn-kvm = 20000000 is more than 10 times too large
# expect: predicted: churn-kvm, within 3 | wrong answer | churn-kvm = 20000000 is more than 3 times too large
s/^churn-kvm,.*/churn-kvm,20000000/
