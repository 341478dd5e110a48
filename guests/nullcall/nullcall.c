/* SPDX-License-Identifier: MIT */
/* A million hypercalls that do nothing, and half a million that come in batches: what a transition costs. */
#include "kernel.h"

#include <xen/version.h>

#define CALLS 1000000u
#define BATCH 100u

static struct multicall_entry batch[BATCH];

static void one_by_one(void)
{
    u64 start = rdtsc();
    for (u32 i = 0; i < CALLS; i++)
        hypercall2(__HYPERVISOR_xen_version, XENVER_version, 0);
    print("@nullcall single %u %U\n", CALLS, rdtsc() - start);
}

static void in_batches(void)
{
    for (u32 i = 0; i < BATCH; i++)
        batch[i].op = __HYPERVISOR_xen_version; /* its first argument is 0, XENVER_version */
    u64 start = rdtsc();
    for (u32 i = 0; i < CALLS / 2 / BATCH; i++)
        hypercall2(__HYPERVISOR_multicall, batch, BATCH);
    print("@nullcall batched %u %U\n", CALLS / 2, rdtsc() - start);
}

void guest_main(void)
{
    one_by_one();
    in_batches();
}
