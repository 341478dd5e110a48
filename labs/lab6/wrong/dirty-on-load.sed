# SPDX-License-Identifier: MIT
# A load counts as a store.
# file: lab6.c
# expect: lazy, with a log | wrong answer | seen "@dirty 1"
# expect: lazy, no violation too many | wrong answer | seen "@dirty 1"
s/guest.log \&\& why \& EPTQ_WRITE/guest.log/
