# SPDX-License-Identifier: MIT
# The line never ends, and the next one is glued to it.
# file: lab0.c
# expect: hello, on a bare PC | wrong answer | expected "@lab0 hello from ring 0"
# expect: hello, on Xen | wrong answer | expected "@lab0 hello from ring 1"
# expect: hello, translated | wrong answer | expected "@lab0 hello from ring 0"
s/^    print("@lab0 hello from ring %u\\n", cs & 3);$/    print("lab0 hello from ring %u", cs \& 3);/
