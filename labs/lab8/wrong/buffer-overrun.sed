# SPDX-License-Identifier: MIT
# A piece is copied without a look at how long it is.
# file: lab8.c
# expect: wild length | time-out | still running after
s/ || d->len > sizeof packet - \*len//
