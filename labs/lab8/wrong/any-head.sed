# SPDX-License-Identifier: MIT
# A head is believed, until it turns out to be no descriptor.
# file: lab8.c
# expect: bad head | wrong answer | seen "@vhost refused: a next, behind good frames"
s/^    if (head >= ring.size)$/    if (0)/
