# SPDX-License-Identifier: MIT
# Lazy or not, all is mapped at the start.
# file: lab6.c
# expect: lazy, no violation too many | counts | EPT violations: 20 expected at least, seen 4
s/!guest.lazy \&\& i < guest.pages/i < guest.pages/
