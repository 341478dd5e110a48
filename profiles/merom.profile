# SPDX-License-Identifier: MIT
# The second generation: Core 2, 2Q2006.
# Short names of sources: ATC 2012 = Agesen et al., USENIX ATC 2012, hardware exit round trip by generation; book = Bugnion, Nieh &
# Tsafrir, table 4.3, one-way #PF exit (second hand); 1b = Adams & Agesen, ASPLOS 2006, table 1. All else is the base's.
title = Merom (2Q2006): Core 2, 2.66 GHz
base = modern
cpu.hz = 2660000000      # 1b Core 2 Duo: 2.66 GHz
vmx.exit = 1156          # book: Merom 1156 (1b measured 1186 on a pre-production Core 2)
vmx.entry = 423          # estimate: ATC 2012 round trip 1579 less the exit (1b measured 937 on a pre-production Core 2, which gives 34 % more than the round trip)
vmx.vmread = 52          # 1b VMCB read, Core 2: 52
vmx.vmwrite = 44         # 1b VMCB write, Core 2: 44
ntlb.entries = 0         # estimate: no EPT, so none
