# SPDX-License-Identifier: MIT
# Of segment registers only the selectors are compared.
# file: lab1.c
# expect: shown by segment registers | wrong answer | expected "@lab1 POP-DS betrays"
s/^        if (loaded && (real->end\.sel\[s\] != naive->end\.sel\[s\] || real->limit\[s\] != naive->limit\[s\]))$/        if (loaded \&\& (real->end.sel[s] != naive->end.sel[s]))/
