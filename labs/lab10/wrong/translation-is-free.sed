# SPDX-License-Identifier: MIT
# That code must be translated first is forgotten.
# file: prediction.csv
# expect: predicted: hello-bt, within 10 | wrong answer | hello-bt = 20000 is more than 10 times too small
# expect: predicted: hello-bt, within 3 | wrong answer | hello-bt = 20000 is more than 3 times too small
# expect: predicted: tick-bt, within 10 | wrong answer | tick-bt = 40000 is more than 10 times too small
# expect: predicted: tick-bt, within 3 | wrong answer | tick-bt = 40000 is more than 3 times too small
# expect: predicted: nano-bt, within 10 | wrong answer | nano-bt = 400000 is more than 10 times too small
# expect: predicted: nano-bt, within 3 | wrong answer | nano-bt = 400000 is more than 3 times too small
# expect: predicted: churn-bt, within 10 | wrong answer | churn-bt = 90000 is more than 10 times too small
# expect: predicted: churn-bt, within 3 | wrong answer | churn-bt = 90000 is more than 3 times too small
# expect: predicted: the order | wrong answer | 46 of 66 pairs of prediction.csv stand in the order of measured.csv; 75 % expected
s/^hello-bt,.*/hello-bt,20000/
s/^tick-bt,.*/tick-bt,40000/
s/^nano-bt,.*/nano-bt,400000/
s/^churn-bt,.*/churn-bt,90000/
