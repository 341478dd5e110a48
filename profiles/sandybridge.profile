# SPDX-License-Identifier: MIT
# 1Q2011.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Sandy Bridge (1Q2011)
base = modern
cpu.hz = 2100000000      # 7a Xeon E5-2450: 2.1 GHz
vmx.exit = 507           # book: Sandy Bridge 507
vmx.entry = 277          # estimate: ATC 2012 round trip 784 less the exit
vmx.vmread = 26          # estimate: 1b Core 2's 52, by the round trip, 784 to Merom 1579
vmx.vmwrite = 22         # estimate: 1b Core 2's 44, by the round trip, 784 to Merom 1579
