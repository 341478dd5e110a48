# SPDX-License-Identifier: MIT
# The machine of the Xen paper's tables: Dell 2650, 2.4 GHz Xeon of the NetBurst family, one processor used.
# Short names of sources:
#   SOSP            Barham et al., SOSP 2003, tables 3 to 5. Only its columns of native Linux (L-UP) are used here: what its columns of Xen and
#                   of VMware say is what `emu bench xen` holds the model against, so nothing may be derived from them
#   1a, 1b, 1c, 1d  Adams & Agesen, ASPLOS 2006: the same processor family in cycles; raw data; table 1; three emulation styles; translator
# All else is the base's. Its estimates that lean on SOSP's column of Xen are replaced here.
title = 2.4 GHz Xeon (Barham et al., SOSP 2003)
base = p4-2006
cpu.hz = 2400000000      # SOSP section 4: 2.4 GHz

# What a gate and IRET cost: INT n goes through the same gates as an exception does.
insn.syscall = 445       # 1a divzero, native: 889 both ways, half of it, rounded up
insn.sysret = 444        # 1a divzero, native: 889 both ways, half of it, rounded down
exc.deliver = 445        # 1a divzero, native: 889 less the way back, insn.sysret
exc.pf = 649             # 1a pgfault, native: 1093 less the way back, insn.sysret
intr.deliver = 445       # estimate: as exc.deliver
insn.far = 444           # estimate: as insn.sysret

# What kernel code costs an instruction, with its cache misses: from native Linux alone.
insn.plain = 3           # estimate: SOSP L-UP null call 0.45 us = 1080 at 2.4 GHz, less the gate 889 = 191, over the 65 instructions of ours
insn.branch = 3          # estimate: as insn.plain

xen.transition = 889     # 1a divzero, native: 889; into ring 0 through a gate, and IRET
xen.dispatch = 191       # estimate: the work of a null system call, SOSP L-UP 0.45 us = 1080 at 2.4 GHz, less the gate 889
xen.pt_update = 920      # estimate: references and types of two frames taken and given back: six locked instructions of 120, and 200 plain cycles
xen.cr3 = 930            # estimate: insn.cr3 450, and references of two roots: four locked instructions of 120
xen.event = 191          # estimate: as xen.dispatch
shadow.switch = 1974     # estimate: insn.cr3 450, a lookup as mmu.walk 500, and a compared entry a cycle: 1024 of a page directory
