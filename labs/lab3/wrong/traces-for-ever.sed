# SPDX-License-Identifier: MIT
# What was a page table once is traced for ever.
# file: lab3.c
# expect: tables in few traces | counts | traces: 100 expected at most, seen 1046: 946 too many
s/ && --s->uses == 0)/ \&\& --s->uses > 60000)/
