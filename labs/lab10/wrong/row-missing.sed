# SPDX-License-Identifier: MIT
# A row is missing.
# file: measured.csv
# expect: measured: hello-kvm | wrong answer | measured.csv has no line "hello-kvm = NUMBER"
/^hello-kvm,/d
