# SPDX-License-Identifier: MIT
# What was put off is done at some later time.
# file: lab4.c
# expect: fork | crash | the guest ended with code 99; its console with "page fault at 40000000, error 4|panic: a page fault that nobody expected"
# expect: save and restore | wrong answer | seen "@lab4 save: 12, then 132, and again 132, then 28"
# expect: fork of 64 pages in 150 hypercalls | crash | the guest ended with code 99; its console with "page fault at 40000000, error 4|panic: a page fault that nobody expected"
# expect: fork of 64 pages in 40 | crash | the guest ended with code 99; its console with "page fault at 40000000, error 4|panic: a page fault that nobody expected"
# expect: fork of 64 pages in 20 | crash | the guest ended with code 99; its console with "page fault at 40000000, error 4|panic: a page fault that nobody expected"
# expect: generations | crash | the guest ended with code 99; its console with "page fault at 40000000, error 4|panic: a page fault that nobody expected"
# expect: generations in few hypercalls | crash | the guest ended with code 99; its console with "page fault at 40000000, error 4|panic: a page fault that nobody expected"
/^void port_lazy_end/,/^}/s/^    submit();$//
