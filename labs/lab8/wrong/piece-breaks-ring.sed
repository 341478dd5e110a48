# SPDX-License-Identifier: MIT
# One bad address, and the whole ring is given up.
# file: lab8.c
# expect: wild address | wrong answer | seen "@vhost refused: a loop, behind good frames"
# expect: wild length | wrong answer | seen "@vhost refused: a loop, behind good frames"
# expect: wrapped address | wrong answer | seen "@vhost refused: a loop, behind good frames"
# expect: writable piece | wrong answer | seen "@vhost refused: a loop, behind good frames"
s/return good \&\& \*len >= HEADER/return !good ? refuse(BROKEN_LOOP) : *len >= HEADER/
