# SPDX-License-Identifier: MIT
# IN gets no answer.
# file: lab5.c
# expect: ports | wrong answer | seen "@out port 10, size 4: 55667700"
# expect: strings | wrong answer | seen "@out port 10, size 2: 0"
s/^            memcpy(data, &value, size);$/            (void)data;/
