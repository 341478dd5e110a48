/* SPDX-License-Identifier: MIT */
/*
 * The guest's pointers. They must lie wholly below the hypervisor, and be accessible to ring 1: what the guest
 * kernel cannot touch itself, the hypervisor does not touch for it. Callers copy once and check the copy.
 */
#include "paravirt/domain.h"

bool guest_range_ok(u32 gva, u64 len)
{
    return (u64)gva + len <= XEN_VIRT_START;
}

int copy_from_guest(struct domain *d, void *to, u32 gva, u32 len)
{
    struct mmu_fault f;
    if (!guest_range_ok(gva, len) || cpu_read_linear(domain_cpu(d), gva, to, len, false, &f) < 0)
        return -XEN_EFAULT;
    return 0;
}

int copy_to_guest(struct domain *d, u32 gva, const void *from, u32 len)
{
    struct mmu_fault f;
    if (!guest_range_ok(gva, len) || cpu_write_linear(domain_cpu(d), gva, from, len, false, &f) < 0)
        return -XEN_EFAULT;
    return 0;
}
