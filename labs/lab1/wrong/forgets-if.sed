# SPDX-License-Identifier: MIT
# Interrupts stay as the guest has them.
# file: lab1.c
# expect: shown by the stack | wrong answer | expected "@lab1 PUSHF betrays"
/^    c->eflags = (c->eflags | EFLAGS_IF) & ~EFLAGS_IOPL;$/d
