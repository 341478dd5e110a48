# SPDX-License-Identifier: MIT
# 45 nm Core 2, 1Q2008.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Penryn (1Q2008): 45 nm Core 2
base = modern
cpu.hz = 3000000000      # estimate: a usual clock of the E8400 class
vmx.exit = 858           # book: Penryn 858
vmx.entry = 408          # estimate: ATC 2012 round trip 1266 less the exit
vmx.vmread = 42          # estimate: 1b Core 2's 52, by the round trip, 1266 to Merom 1579
vmx.vmwrite = 35         # estimate: 1b Core 2's 44, by the round trip, 1266 to Merom 1579
ntlb.entries = 0         # estimate: no EPT, so none
