# SPDX-License-Identifier: MIT
# Unrestricted guest.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Westmere (1Q2010): unrestricted guest
base = modern
cpu.hz = 3330000000      # ATC 2012: 3000 cycles = 0.9 us at 3.33 GHz
vmx.exit = 569           # book: Westmere 569
vmx.entry = 192          # estimate: ATC 2012 round trip 761 less the exit
vmx.vmread = 25          # estimate: 1b Core 2's 52, by the round trip, 761 to Merom 1579
vmx.vmwrite = 21         # estimate: 1b Core 2's 44, by the round trip, 761 to Merom 1579
