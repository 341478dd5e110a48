# SPDX-License-Identifier: MIT
# Entries change, and the processor goes on with its old translations.
# file: lab4.c
# expect: save and restore | wrong answer | seen "@lab4 save: 12, then 132, and again 112, then 28"
s/must_flush |= s->current/must_flush = 0/
