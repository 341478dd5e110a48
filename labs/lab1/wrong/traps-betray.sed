# SPDX-License-Identifier: MIT
# Whatever differs is a betrayal, a trap too.
# file: lab1.c
# expect: a handful | wrong answer | expected "@lab1 CLI traps"
# expect: traps and harmless ones | wrong answer | expected "@lab1 STI traps"
s/^        return TRAPS;$/        return BETRAYS;/
