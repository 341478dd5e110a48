# SPDX-License-Identifier: MIT
# What is printed was never asked of the processor.
# file: lab0.c
# expect: hello, on Xen | wrong answer | expected "@lab0 hello from ring 1"
s/^    print("@lab0 hello from ring %u\\n", cs & 3);$/    print("@lab0 hello from ring %u\\n", 0);/
