# SPDX-License-Identifier: MIT
# What lies behind the guest's memory is mapped too.
# file: lab6.c
# expect: memory | wrong answer | seen "@lab6 beyond: ends with 0, 44560 0 0 0"
# expect: memory without violations | wrong answer | seen "@lab6 beyond: ends with 0, 44560 0 0 0"
s/if (gpa >> 12 >= guest.pages)/if (gpa >> 12 >= 128)/
