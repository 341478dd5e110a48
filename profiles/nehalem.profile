# SPDX-License-Identifier: MIT
# EPT and VPID.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Nehalem (2008; measured 3Q2009): EPT, VPID
base = modern
cpu.hz = 2930000000      # estimate: a usual clock of the Xeon 5500
vmx.exit = 684           # estimate: ATC 2012 round trip 1009 by Penryn's share of the exit, 858 to 1266; the book has no Nehalem
vmx.entry = 325          # estimate: ATC 2012 round trip 1009 less the exit
vmx.vmread = 33          # estimate: 1b Core 2's 52, by the round trip, 1009 to Merom 1579
vmx.vmwrite = 28         # estimate: 1b Core 2's 44, by the round trip, 1009 to Merom 1579
