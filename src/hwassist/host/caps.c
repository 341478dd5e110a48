/* SPDX-License-Identifier: MIT */
/* What this KVM offers, by KVM_CHECK_EXTENSION: never by the kernel's version. */
#include <sys/ioctl.h>

#include "hwassist/host/host.h"

static const struct { int number; const char *name; } rows[HOST_CAP_COUNT] = {
    [HOST_IRQCHIP] = { KVM_CAP_IRQCHIP, "irqchip" },
    [HOST_SPLIT_IRQCHIP] = { KVM_CAP_SPLIT_IRQCHIP, "split irqchip" },
    [HOST_PIT2] = { KVM_CAP_PIT2, "PIT" },
    [HOST_IOEVENTFD] = { KVM_CAP_IOEVENTFD, "ioeventfd" },
    [HOST_IRQFD] = { KVM_CAP_IRQFD, "irqfd" },
    [HOST_COALESCED_MMIO] = { KVM_CAP_COALESCED_MMIO, "coalesced MMIO" },
    [HOST_READONLY_MEM] = { KVM_CAP_READONLY_MEM, "read-only slots" },
    [HOST_IMMEDIATE_EXIT] = { KVM_CAP_IMMEDIATE_EXIT, "immediate exit" },
    [HOST_GUEST_DEBUG] = { KVM_CAP_SET_GUEST_DEBUG, "guest debug" },
    [HOST_SYNC_REGS] = { KVM_CAP_SYNC_REGS, "synced registers" },
    [HOST_SREGS2] = { KVM_CAP_SREGS2, "PAE pointers" },
    [HOST_STATS_FD] = { KVM_CAP_BINARY_STATS_FD, "statistics" },
    [HOST_SIGNAL_MSI] = { KVM_CAP_SIGNAL_MSI, "MSI" },
    [HOST_TSC_CONTROL] = { KVM_CAP_TSC_CONTROL, "TSC rate" },
};

const char *host_cap_name(enum host_cap c) { return rows[c].name; }

void host_find_caps(struct host_vm *h)
{
    for (unsigned i = 0; i < HOST_CAP_COUNT; i++) {
        int r = ioctl(h->vm_fd, KVM_CHECK_EXTENSION, rows[i].number);
        h->cap[i] = r > 0 ? r : 0;
    }
    /* each of the three kinds of registers, or it is no use */
    if ((h->cap[HOST_SYNC_REGS] & KVM_SYNC_X86_VALID_FIELDS) != KVM_SYNC_X86_VALID_FIELDS)
        h->cap[HOST_SYNC_REGS] = 0;
}
