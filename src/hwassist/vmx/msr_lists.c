/* SPDX-License-Identifier: MIT */
/*
 * Lists of MSRs, SDM vol. 3, 25.7.2, 25.8.2, 27.4, 28.4, 28.6: sixteen bytes an entry in the host's memory: the MSR's number,
 * a reserved half, its value. Here host and guest share the processor's MSRs, as they do in hardware: what the lists do not switch stays.
 */
#include <string.h>

#include "hwassist/vmx/vmx.h"

struct msr_entry { u32 msr, reserved; u64 value; };

static struct msr_entry *entry_at(const struct vmx *x, hpa_t list, u64 i)
{
    hpa_t at = list + i * sizeof(struct msr_entry);
    u64 *frame = hostmem_table(x->host, at);
    return frame ? (struct msr_entry *)((u8 *)frame + (at & ~PAGE_MASK)) : NULL;
}

/* None may be listed that has a field of its own for its segment (FS, GS base), or belongs to an x2APIC or to SMM. */
static bool may_be_listed(const struct msr_entry *e)
{
    enum { FS_BASE = 0xc0000100, GS_BASE = 0xc0000101, SMM_MONITOR_CTL = 0x9b };
    return !e->reserved && e->msr != FS_BASE && e->msr != GS_BASE && e->msr >> 8 != 8 && e->msr != SMM_MONITOR_CTL;
}

static bool load(struct vmx *x, const struct msr_entry *e)
{
    return e && may_be_listed(e) && cpu_wrmsr(x->cpu, e->msr, e->value);
}

static bool store(struct vmx *x, struct msr_entry *e)
{
    return e && may_be_listed(e) && cpu_rdmsr(x->cpu, e->msr, &e->value);
}

/* As many as the capability MSR recommends; whoever lists more is refused where the manual leaves it open. */
#define LONGEST_LIST 512

unsigned vmx_load_entry_msrs(struct vmx *x)
{
    u64 n = vmcs_get(&x->vmcs, VMCSI_ENTRY_MSR_LOAD_COUNT), list = vmcs_get(&x->vmcs, VMCSI_ENTRY_MSR_LOAD_ADDR);
    for (u64 i = 0; i < n; i++)
        if (i >= LONGEST_LIST || !load(x, entry_at(x, list, i)))
            return i + 1;
    return 0;
}

enum vmx_abort vmx_exit_msrs(struct vmx *x)
{
    u64 stores = vmcs_get(&x->vmcs, VMCSI_EXIT_MSR_STORE_COUNT), loads = vmcs_get(&x->vmcs, VMCSI_EXIT_MSR_LOAD_COUNT);
    for (u64 i = 0; i < stores; i++)
        if (i >= LONGEST_LIST || !store(x, entry_at(x, vmcs_get(&x->vmcs, VMCSI_EXIT_MSR_STORE_ADDR), i)))
            return ABORT_STORE_MSRS;
    for (u64 i = 0; i < loads; i++)
        if (i >= LONGEST_LIST || !load(x, entry_at(x, vmcs_get(&x->vmcs, VMCSI_EXIT_MSR_LOAD_ADDR), i)))
            return ABORT_LOAD_MSRS;
    return ABORT_NONE;
}
