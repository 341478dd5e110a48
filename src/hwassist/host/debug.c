/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints of gdb and of the monitor: up to four go into the processor's debug registers, hidden from the guest, and it runs at full
 * speed up to them. Everything else that a debugger may ask for (more of them, watchpoints on ranges of any length, steps) the interpreter does.
 */
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

enum { DR_COUNT = 4 };

bool host_debug_by_hardware(const struct host_vcpu *h)
{
    const struct cpu_debug *d = h->v->cpu.debug;
    return !d || (host_can(h->vm, HOST_GUEST_DEBUG) && !d->step && !d->nwatch && d->nbreak <= DR_COUNT);
}

/* DR7: breakpoint i is on by bit 2i + 1; type and length of execution are zeros (SDM vol. 3, 18.2.4). */
void host_set_debug(struct host_vcpu *h)
{
    const struct cpu_debug *d = h->v->cpu.debug;
    struct kvm_guest_debug k = { 0 };
    bool wanted = d && d->nbreak;
    if (!wanted && !h->debugged)
        return;
    k.control = wanted ? KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP : 0;
    k.arch.debugreg[7] = 0x400;
    for (unsigned i = 0; wanted && i < d->nbreak; i++) {
        k.arch.debugreg[i] = d->brk[i];
        k.arch.debugreg[7] |= 2u << 2 * i;
    }
    ioctl(h->fd, KVM_SET_GUEST_DEBUG, &k);
    h->debugged = wanted;
}
