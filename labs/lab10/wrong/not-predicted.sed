# SPDX-License-Identifier: MIT
# One row is left empty.
# file: prediction.csv
# expect: predicted: nano-kvm, within 10 | wrong answer | prediction.csv has no line "nano-kvm = NUMBER"
# expect: predicted: nano-kvm, within 3 | wrong answer | prediction.csv has no line "nano-kvm = NUMBER"
s/^nano-kvm,.*/nano-kvm,/
