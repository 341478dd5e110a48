# SPDX-License-Identifier: MIT
# A Skylake-class server, put together from measurements of several machines. Short names of sources:
#   7a              kvm-unit-tests and papers: vmcall 1529 (Skylake-SP, March 2020); null hypercall 1437, I/O Kernel 2565,
#                   I/O User 6732 (Dall et al., ATC 2017, Xeon E5-2450; second hand)
#   ATC 2012        Agesen et al., USENIX ATC 2012, hardware exit round trip: Prescott 3963, Merom 1579, Sandy Bridge 784
#   book            Bugnion, Nieh & Tsafrir, table 4.3 (second hand), one-way #PF exit: Sandy Bridge 507, Broadwell 531
#   1a, 1b, 1c, 1d  Adams & Agesen, ASPLOS 2006
#   SOSP            Barham et al., SOSP 2003
# `estimate:` says that nobody measured this number there, and how it was derived. `scaled` is by ATC 2012's
# Prescott to Sandy Bridge, 784 / 3963 = 0.198: how much crossings of privilege have sped up, in cycles.
title = Skylake-class server, EPT and VPID (kvm-unit-tests 2020 and others)
cpu.hz = 2700000000      # 7a IPI row: Xeon 8168, whose base clock is 2.7 GHz

insn.plain = 1           # estimate: one a cycle; superscalar issue is not modelled
insn.branch = 1          # estimate: as insn.plain
insn.call = 2            # estimate: order of a predicted call or return
insn.mul = 3             # estimate: order of an integer multiply's latency
insn.div = 26            # estimate: order of a 32-bit divide's latency
insn.string = 2          # estimate: a load and a store
insn.fp = 4              # estimate: order of an add's latency
insn.fpdiv = 15          # estimate: order of a divide's latency
insn.flags = 10          # estimate: 1c native cli 60, scaled
insn.seg = 20            # estimate: a descriptor load; order of magnitude
insn.far = 67            # estimate: as insn.sysret
insn.syscall = 68        # estimate: A1 system call 50 ns at 2.7 GHz = 135, half of it
insn.sysret = 67         # estimate: A1 system call 50 ns at 2.7 GHz = 135, half of it
insn.in = 2279           # estimate: 1a in (port 0x80), native, 844 ns at 2.7 GHz; the bus does not speed up with the processor
insn.out = 2279          # estimate: as insn.in
insn.cr = 100            # estimate: as insn.cr3
insn.cr3 = 100           # 7b CR3 write: "order of a hundred cycles" (Linux, PTI documentation)
insn.invlpg = 100        # estimate: as insn.cr3
insn.serial = 100        # estimate: order of CPUID
insn.rdtsc = 25          # estimate: order of RDTSC
insn.msr = 100           # estimate: as insn.cr
insn.hlt = 1             # estimate: time passes as idle time, not as work
exc.deliver = 152        # estimate: 1a divzero native less the way back, 768, scaled
exc.pf = 192             # estimate: 1a pgfault native less the way back, 972, scaled
intr.deliver = 152       # estimate: as exc.deliver
mmio.native = 2279       # estimate: as insn.in
apic.native = 40         # estimate: no bus is crossed; order of the third-level cache
tlb.ref = 10             # estimate: Bhargava et al. 2008 model 11 for the second-level cache
pwc.entries = 24         # estimate: as Bhargava et al. 2008; SDM vol. 3, 4.10.3 describes paging-structure caches, but gives no sizes
pwc.hit = 2              # estimate: as Bhargava et al. 2008
ntlb.entries = 16        # estimate: as Bhargava et al. 2008; SDM vol. 3, 29.4.1 describes guest-physical mappings, but gives no sizes
ntlb.hit = 2             # estimate: as Bhargava et al. 2008

mmu.walk = 99            # estimate: 1a BT, 500 (see p4-2006), scaled
shadow.fill = 342        # estimate: 1a BT ptemod NP->P 2121 less unchanged 391, scaled
shadow.switch = 408      # estimate: p4-2006's 2064, scaled
mon.emulate = 1128       # 7a I/O Kernel 2565 less null hypercall 1437 (ATC 2017, second hand)
mon.user = 4167          # 7a I/O User 6732 less I/O Kernel 2565 (ATC 2017, second hand)

bt.translate = 2300      # 1d translation: 2300 cycles per x86 instruction, cycles taken over
bt.callout = 248         # estimate: 1c callout-and-emulate 1254, scaled
bt.in_tc = 43            # estimate: 1c in-TC 216, scaled
bt.in_tc_reg = 7         # estimate: 1a cr8wr, BT 35, scaled
bt.in_tc_flag = 5        # 1c translated cli: "a handful"
bt.indirect = 8          # estimate: 1a call/ret pair, BT 51 less native 11, scaled
bt.trap = 402            # estimate: 1c trap-and-emulate 2030, scaled
bt.trace = 77            # estimate: 1a ptemod unchanged, BT 391, scaled
bt.world_switch = 646    # estimate: p4-2006's 3262, scaled

xen.transition = 162     # estimate: SOSP, p4-2006's 816, scaled
xen.pt_update = 299      # estimate: SOSP, p4-2006's 1512, scaled
xen.cr3 = 408            # estimate: SOSP, p4-2006's 2064, scaled
xen.dispatch = 135       # estimate: as the work of a system call, insn.syscall + insn.sysret
xen.event = 100          # estimate: a frame of five words and a few flags; order of magnitude

vmx.exit = 531           # book, table 4.3 (second hand): Broadwell, the nearest to Skylake
vmx.entry = 277          # estimate: Sandy Bridge's round trip 784 (ATC 2012) less its exit 507 (book)
vmx.vmread = 26          # estimate: 1b Core 2's 52, by the round trip, Sandy Bridge 784 to Merom 1579
vmx.vmwrite = 22         # estimate: 1b Core 2's 44, by the round trip, Sandy Bridge 784 to Merom 1579
kvm.handler = 461        # 7a vmcall 1529 less exit 531, entry 277 and ten vmreads 260
kvm.ept_fill = 1470      # estimate: mon.emulate 1128 + shadow.fill 342: look up the page, install one entry
kvm.vm_switch = 600     # estimate: curriculum's, A2 2000 less exit and entry, cycles taken over
kvm.tlb_refill = 800    # estimate: curriculum's, A2 2800 less 2000, cycles taken over

host.wake = 6750         # estimate: curriculum's 2.5 us at 2.7 GHz
host.copy_line = 4       # estimate: a 16-byte load and store a cycle, out of the cache
host.stack = 135         # estimate: as the work of a system call, insn.syscall + insn.sysret
host.nic = 50            # estimate: order of fifty instructions
host.pin = 135           # estimate: as host.stack
host.ring = 50           # estimate: as host.nic

dma.issue = 27           # curriculum A2, DMA: issue 10 ns, at 2.7 GHz
dma.memory = 108         # curriculum A2, DMA: memory 40 ns, at 2.7 GHz
iommu.check = 54         # curriculum A2, DMA: intercept 20 ns, at 2.7 GHz
iommu.walk = 216         # curriculum A2, DMA: walk 80 ns, at 2.7 GHz
