# SPDX-License-Identifier: MIT
# The figures of the curriculum "Complete Virtualization Story". Short names of sources:
#   A1              its table of one exit by component, 2 GHz
#   A2              its table of operation costs
#   1a, 1c, 1d      Adams & Agesen, ASPLOS 2006: nanobenchmarks; emulation styles; translator (3.8 GHz Pentium 4)
#   SOSP            Barham et al., SOSP 2003, tables 3 to 5
#   Sugerman        Sugerman, Venkitachalam & Lim, USENIX 2001
# `estimate:` says that the curriculum gives no such number, and how it was derived. Many are numbers of the
# Pentium 4 scaled by the one operation that both give: a system call, A1 100 against 1a 242 (0.413).
title = Complete Virtualization Story: rounded teaching figures, 2 GHz
cpu.hz = 2000000000      # A1: 2 GHz

insn.plain = 1           # estimate: one a cycle
insn.branch = 1          # estimate: as insn.plain
insn.call = 2            # estimate: 1a call/ret pair 11, scaled by 0.413, half of it
insn.mul = 3             # estimate: order of an integer multiply's latency
insn.div = 26            # estimate: order of a 32-bit divide's latency
insn.string = 2          # estimate: a load and a store
insn.fp = 4              # estimate: order of an add's latency
insn.fpdiv = 15          # estimate: order of a divide's latency
insn.flags = 25          # estimate: 1c native cli 60, scaled by 0.413
insn.seg = 20            # estimate: a descriptor load; order of magnitude
insn.far = 50            # estimate: as half a system call, A1 100
insn.syscall = 50        # A1 system call: 100; half of it
insn.sysret = 50         # A1 system call: 100; half of it
insn.in = 1688           # estimate: 1a in (port 0x80), native, 844 ns at 2 GHz; the bus does not speed up with the processor
insn.out = 1688          # estimate: as insn.in
insn.cr = 62             # estimate: 1a cr8wr, native 150, scaled by 0.413
insn.cr3 = 100           # A2 VT-x + EPT, CR3 write: 100 (no exit: the bare instruction)
insn.invlpg = 62         # estimate: as insn.cr
insn.serial = 100        # estimate: order of CPUID
insn.rdtsc = 25          # estimate: order of RDTSC
insn.msr = 62            # estimate: as insn.cr
insn.hlt = 1             # estimate: time passes as idle time, not as work
exc.deliver = 317        # estimate: 1a divzero, native 889, scaled by 0.413, less insn.sysret 50
exc.pf = 401             # estimate: 1a pgfault, native 1093, scaled by 0.413, less insn.sysret 50
intr.deliver = 317       # estimate: as exc.deliver
mmio.native = 1688       # estimate: as insn.in
apic.native = 40         # estimate: no bus is crossed; order of the third-level cache
tlb.ref = 10             # estimate: Bhargava et al. 2008 model 11 for the second-level cache
pwc.entries = 24         # Bhargava et al. 2008, their Opteron: page-walk cache of 24 entries; the curriculum gives none, and tlb.ref is theirs too
pwc.hit = 2              # Bhargava et al. 2008: 2 cycles
ntlb.entries = 16        # Bhargava et al. 2008: nested TLB of 16 entries
ntlb.hit = 2             # Bhargava et al. 2008: 2 cycles

mmu.walk = 207           # estimate: 1a BT, 500 (see p4-2006), scaled by 0.413
shadow.fill = 714        # estimate: 1a BT ptemod NP->P 2121 less unchanged 391, scaled by 0.413
shadow.switch = 275      # A2 VT-x without EPT, CR3 write 1675, less A1's exit 700 and entry 700
mon.emulate = 0          # A1 hypervisor handling 1000 (reason, dispatch, emulate, update): within kvm.handler
mon.user = 3600          # A1 exit + I/O emulation in user space 6000, less an exit's 2400

bt.translate = 2300      # 1d translation: 2300 cycles per x86 instruction
bt.callout = 1200        # A2 binary translation, privileged instruction: 1200
bt.in_tc = 207           # estimate: 1c in-TC 216 to callout 1254, the same share of A2's 1200
bt.in_tc_reg = 33        # estimate: 1a cr8wr, BT 35 to 1c callout 1254, the same share of A2's 1200
bt.in_tc_flag = 5        # 1c translated cli: "a handful"
bt.indirect = 17         # estimate: 1a call/ret pair, BT 51 less native 11, scaled by 0.413
bt.trap = 1943           # estimate: 1c trap-and-emulate 2030 to callout 1254, the same share of A2's 1200
bt.trace = 374           # estimate: 1a ptemod unchanged, BT 391 to 1c callout 1254, the same share of A2's 1200
bt.world_switch = 3262   # estimate: Sugerman, 4.45 us one way at 733 MHz = 3262, cycles taken over

xen.transition = 680     # estimate: SOSP table 5, prot fault Xen 1.40 less L-UP 1.06 us = 0.34 us, at 2 GHz
xen.pt_update = 1260     # estimate: SOSP table 5, page fault Xen 2.73 less L-UP 1.42 us = 2620 at 2 GHz, less two transitions
xen.cr3 = 1720           # estimate: SOSP table 4, 2p/0K Xen 1.97 less L-UP 0.77 us = 2400 at 2 GHz, less one transition
xen.dispatch = 100       # estimate: as the work of a system call, A1 100
xen.event = 100          # estimate: a frame of five words and a few flags; order of magnitude

vmx.exit = 700           # A1 hardware state save 500 + context switch 200
vmx.entry = 700          # A1 hardware state restore 500 + return to guest 200
vmx.vmread = 0           # A1 hypervisor handling 1000 (reason, dispatch, ...): within kvm.handler
vmx.vmwrite = 0          # A1 hypervisor handling 1000 (..., update): within kvm.handler
kvm.handler = 1000       # A1 hypervisor handling: 1000+
kvm.ept_fill = 714       # estimate: as shadow.fill
kvm.vm_switch = 600     # A2 context switch between VMs, with VPID 2000, less A1's exit 700 and entry 700
kvm.tlb_refill = 800    # A2 context switch between VMs, without VPID 2800 less with VPID 2000

host.wake = 5000         # estimate: 2.5 us, order of a wake-up across processors out of a light idle state
host.copy_line = 4       # estimate: a 16-byte load and store a cycle, out of the cache: the guest has just written it
host.stack = 100         # estimate: as the work of a system call, A1 100
host.nic = 50            # estimate: order of fifty instructions
host.pin = 100           # estimate: as host.stack: page tables walked, a reference taken and, when it is sent, given back
host.ring = 50           # estimate: as host.nic

dma.issue = 20           # A2 DMA: issue 10 ns, at 2 GHz
dma.memory = 80          # A2 DMA: memory 40 ns, at 2 GHz
iommu.check = 40         # A2 DMA: intercept 20 ns, at 2 GHz
iommu.walk = 160         # A2 DMA: walk 80 ns, at 2 GHz
