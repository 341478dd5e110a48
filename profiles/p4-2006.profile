# SPDX-License-Identifier: MIT
# The machine of the comparison of binary translation and first-generation VT-x: HP xw4300, 3.8 GHz Pentium 4 672.
# Short names of sources:
#   1a, 1b, 1c, 1d  Adams & Agesen, ASPLOS 2006: raw data of the nanobenchmarks; table 1; three emulation styles; translator
#   SOSP            Barham et al., SOSP 2003: Dell 2650, 2.4 GHz Xeon, the same NetBurst processor family; tables 3 to 5
#   Sugerman        Sugerman, Venkitachalam & Lim, USENIX 2001: hosted architecture, 733 MHz Pentium III
# `estimate:` says that nobody measured this number on this machine, and how it was derived.
title = Pentium 4 672, 3.8 GHz, first VT-x, no EPT (Adams & Agesen 2006)
cpu.hz = 3800000000      # Adams & Agesen 2006, section 6: 3.8 GHz

insn.plain = 1           # 1a ptemod unchanged, native: 1 (a store)
insn.branch = 1          # estimate: as insn.plain; a predicted jump
insn.call = 5            # 1a call/ret pair, native: 11; half of it, rounded down
insn.mul = 10            # estimate: order of NetBurst's integer multiply latency
insn.div = 70            # estimate: order of NetBurst's 32-bit divide latency
insn.string = 2          # estimate: a load and a store
insn.fp = 5              # estimate: order of an x87 add's latency
insn.fpdiv = 40          # estimate: order of an x87 divide's latency
insn.flags = 60          # 1c native cli: 60
insn.seg = 20            # estimate: a descriptor load; order of magnitude
insn.far = 121           # estimate: as half a system call's round trip, 1a syscall native 242
insn.syscall = 121       # 1a syscall+sysret round trip, native: 242; half of it. Measured on SYSCALL; taken for INT n too
insn.sysret = 121        # 1a syscall+sysret round trip, native: 242; half of it. Measured on SYSRET; taken for IRET too
insn.in = 3209           # 1a in (port 0x80), native: 3209
insn.out = 3209          # estimate: as insn.in; the same bus
insn.cr = 150            # 1a cr8wr, native: 150
insn.cr3 = 450           # estimate: three times insn.cr, for the TLB flush
insn.invlpg = 150        # estimate: as insn.cr; serializing
insn.serial = 200        # estimate: order of CPUID on NetBurst
insn.rdtsc = 80          # estimate: order of RDTSC on NetBurst
insn.msr = 150           # estimate: as insn.cr
insn.hlt = 1             # estimate: time passes as idle time, not as work
exc.deliver = 768        # 1a divzero, native: 889 less the way back, insn.sysret 121
exc.pf = 972             # 1a pgfault, native: 1093 less the way back, insn.sysret 121
intr.deliver = 768       # estimate: as exc.deliver
mmio.native = 3209       # estimate: as insn.in; an uncached register behind the same bus
apic.native = 60         # estimate: no bus is crossed; order of the second-level cache, twice
tlb.ref = 10             # estimate: a page-table entry from the second-level cache; Bhargava et al. 2008 model 11
pwc.entries = 0          # estimate: none is documented; Intel first described paging-structure caches in 2007 (application note 317080)
pwc.hit = 2              # estimate: as Bhargava et al. 2008; not used
ntlb.entries = 0         # estimate: no EPT, so none
ntlb.hit = 2             # estimate: as Bhargava et al. 2008; not used

mmu.walk = 500           # 1a BT: pgfault 3927 less divzero 3223, less the same difference native, 1093 - 889
shadow.fill = 1730       # 1a BT: ptemod NP->P 2121 less ptemod unchanged 391
shadow.switch = 2064     # estimate: as xen.cr3; a monitor's lookup and flush
mon.emulate = 1141       # 1c trap-and-emulate 2030 less the exception's round trip, 1a divzero native 889
mon.user = 4167          # estimate: 7a I/O User 6732 less I/O Kernel 2565 (ATC 2017, second hand), cycles taken over

bt.translate = 2300      # 1d translation: 2300 cycles per x86 instruction
bt.callout = 1254        # 1c callout-and-emulate: 1254
bt.in_tc = 216           # 1c in-TC: 216; 1a in (port 0x80), BT: 216
bt.in_tc_reg = 35        # 1a cr8wr, BT: 35
bt.in_tc_flag = 5        # 1c translated cli: "a handful"
bt.indirect = 40         # 1a call/ret pair: BT 51 less native 11
bt.trap = 2030           # 1c trap-and-emulate: 2030
bt.trace = 391           # 1a ptemod unchanged, BT: 391
bt.world_switch = 3262   # estimate: Sugerman, 4.45 us one way at 733 MHz = 3262, cycles taken over

xen.transition = 816     # estimate: SOSP table 5, prot fault Xen 1.40 less L-UP 1.06 us = 0.34 us at 2.4 GHz
xen.pt_update = 1512     # estimate: SOSP table 5, page fault Xen 2.73 less L-UP 1.42 us = 3144 at 2.4 GHz, less two transitions
xen.cr3 = 2064           # estimate: SOSP table 4, 2p/0K Xen 1.97 less L-UP 0.77 us = 2880 at 2.4 GHz, less one transition
xen.dispatch = 242       # estimate: as the work of a null system call, 1a native 242
xen.event = 150          # estimate: a frame of five words and a few flags; order of magnitude

vmx.exit = 1931          # 1b page-fault VM exit: 1931
vmx.entry = 2409         # 1b VM entry: 2409
vmx.vmread = 178         # 1b VMCB read: 178
vmx.vmwrite = 171        # 1b VMCB write: 171
kvm.handler = 461        # estimate: as in the modern profile, cycles taken over
kvm.ept_fill = 1730      # estimate: as shadow.fill. This processor has no EPT: used only where --hw asks for one
kvm.vm_switch = 600     # estimate: curriculum's, A2 2000 less exit and entry, cycles taken over
kvm.tlb_refill = 800    # estimate: curriculum's, A2 2800 less 2000, cycles taken over

host.wake = 9500         # estimate: 2.5 us at 3.8 GHz
host.copy_line = 32      # estimate: as 16*insn.string, four bytes an iteration
host.stack = 242         # estimate: as the work of a system call, 1a 242
host.nic = 121           # estimate: half a system call
host.pin = 242           # estimate: as host.stack
host.ring = 121          # estimate: as host.nic

dma.issue = 38           # curriculum A2, DMA: issue 10 ns, at 3.8 GHz
dma.memory = 152         # curriculum A2, DMA: memory 40 ns, at 3.8 GHz
iommu.check = 76         # curriculum A2, DMA: intercept 20 ns, at 3.8 GHz
iommu.walk = 304         # curriculum A2, DMA: walk 80 ns, at 3.8 GHz
