# SPDX-License-Identifier: MIT
# Virtual APIC and posted interrupts, 2012 (the Xeon of that core).
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Ivy Bridge (2012)
base = modern
vmx.exit = 466           # book: Ivy Bridge 466
vmx.entry = 277          # estimate: as Sandy Bridge, 784 less 507; no round trip was published
