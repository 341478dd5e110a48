# SPDX-License-Identifier: MIT
# Nobody looks at the flag that says what a piece is for.
# file: lab8.c
# expect: writable piece | wrong answer | seen "@vhost 100 frames, 80 spoiled"
s/d->flags \& F_WRITE || //
