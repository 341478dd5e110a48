# SPDX-License-Identifier: MIT
# Every entry of the batch flushes.
# file: lab2.c
# expect: 256 pages with 8 flushes | counts | TLB flushes: 8 expected at most, seen 258: 250 too many
s/pte >> 32, UVMF_NONE }/pte >> 32, UVMF_TLB_FLUSH | UVMF_LOCAL }/
