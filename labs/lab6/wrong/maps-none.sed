# SPDX-License-Identifier: MIT
# Lazy or not, nothing is.
# file: lab6.c
# expect: entry | wrong answer | seen "@lab6 6 entries, 6 exits"
# expect: memory without violations | counts | EPT violations: 1 expected at most, seen 66: 65 too many
# expect: 24 references | wrong answer | seen "@lab6 48 references in 2 walks"
s/!guest.lazy \&\& i < guest.pages/0 \&\& i < guest.pages/
