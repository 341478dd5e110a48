/* SPDX-License-Identifier: MIT */
/*
 * The SR-IOV capability (Single Root I/O Virtualization and Sharing Specification 1.1, 3.3). It lies at 160h of the PF's configuration
 * space, which configuration mechanism 1 does not reach. Only the modelled host needs it, so it has functions of its own here rather than a
 * memory-mapped configuration space that no guest could see.
 */
#include "devices/igb/igb.h"

enum { CAPABILITY = 0x00010010 /* ID 10h, version 1, the last */ };

void igb_sriov_init(struct igb *p)
{
    pci_put(p->sriov, 0, 4, CAPABILITY);
    pci_put(p->sriov, 0x0c, 2, p->total_vfs);
    pci_put(p->sriov, SRIOV_TOTAL_VFS, 2, p->total_vfs);
    pci_put(p->sriov, SRIOV_OFFSET, 2, IGB_FIRST_VF);
    pci_put(p->sriov, SRIOV_STRIDE, 2, IGB_VF_STRIDE);
    pci_put(p->sriov, SRIOV_VF_DEVICE, 2, IGB_VF_DEVICE);
}

u32 igb_sriov_read(const struct igb *p, unsigned offset, unsigned size)
{
    return offset + size <= sizeof p->sriov ? pci_get(p->sriov, offset, size) : ~0u;
}

/* VF Enable: the functions answer on the bus. */
static int enable(struct igb *p, struct error *err)
{
    unsigned n = igb_sriov_read(p, SRIOV_NUM_VFS, 2);
    for (; p->vfs < n && p->vfs < p->total_vfs; p->vfs++) {
        unsigned devfn = p->pf.devfn + IGB_FIRST_VF + p->vfs * IGB_VF_STRIDE;
        if (pci_add(p->pf.bus, devfn >> 3, devfn & 7, &p->vf[p->vfs].function, err))
            return -1;
    }
    return 0;
}

int igb_sriov_write(struct igb *p, unsigned offset, unsigned size, u32 value, struct error *err)
{
    if (offset == SRIOV_NUM_VFS && value <= p->total_vfs && !p->vfs)
        pci_put(p->sriov, offset, 2, value);
    if (offset != SRIOV_CONTROL)
        return 0;
    pci_put(p->sriov, offset, 2, value & (SRIOV_VF_ENABLE | SRIOV_VF_MSE));
    return value & SRIOV_VF_ENABLE ? enable(p, err) : 0;
}
