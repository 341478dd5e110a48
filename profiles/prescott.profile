# SPDX-License-Identifier: MIT
# The first processor with VT-x: NetBurst, 3Q2005.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Prescott (3Q2005): first VT-x, 3.8 GHz
base = p4-2006
vmx.exit = 1926          # book: Prescott 1926 (1b measured 1931 on a Pentium 4 672)
vmx.entry = 2409         # 1b VM entry on a Pentium 4 672: 2409. The sum, 4335, is 9 % above ATC 2012's round trip of 3963
