/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions, SDM vol. 3, chapter 31, as functions: a monitor of the model calls them, and an intercepted instruction of a
 * guest could be carried out by the same ones. (VMREAD and VMWRITE are in vmcs.c, VMLAUNCH and VMRESUME are vmx_enter().)
 *
 * A VMCS that is not current lies in its region, 4 KiB of the host's memory. What the region holds behind the revision identifier is
 * the processor's own business; here: the launch state, then all fields by index.
 */
#include "hwassist/vmx/vmx.h"

struct vmcs_region {
    u32 revision, abort;
    u64 state;                  /* STORED, LAUNCHED */
    u64 value[VMCS_FIELDS];
};
enum { STORED = 1, LAUNCHED = 2 };
_Static_assert(sizeof(struct vmcs_region) <= PAGE_SIZE, "IA32_VMX_BASIC says 4096 bytes");

static struct vmcs_region *region_at(const struct vmx *x, hpa_t at) { return (struct vmcs_region *)hostmem_table(x->host, at); }
static bool is_region(const struct vmx *x, hpa_t at) { return !(at & ~PAGE_MASK) && !(at >> x->caps.phys_bits) && region_at(x, at); }
bool vmx_is_vmcs(const struct vmx *x, hpa_t at) { return is_region(x, at) && region_at(x, at)->revision == VMCS_REVISION; }
static bool has_current(const struct vmx *x) { return x->current != VMX_NO_REGION; }

/* 31.2: VMfail. Where there is no current VMCS there is no field for the number. */
static int fail(struct vmx *x, enum vm_insn_error error)
{
    if (!has_current(x))
        return VMFAIL_INVALID;
    vmcs_set(&x->vmcs, VMCSI_INSN_ERROR, error);
    return error;
}

/* --- VMX operation --- */

int vmx_vmxon(struct vmx *x, hpa_t at)
{
    if (x->root)
        return fail(x, VMFAIL_VMXON_IN_ROOT);
    if (!is_region(x, at) || region_at(x, at)->revision != VMCS_REVISION)
        return VMFAIL_INVALID;
    x->root = true;
    x->vmxon_region = at;
    x->current = VMX_NO_REGION;
    return 0;
}

/* 31.3, VMXOFF: what is cached of a VMCS need not reach its region; a careful monitor has cleared it before. */
int vmx_vmxoff(struct vmx *x)
{
    if (!x->root)
        return VMX_UNDEFINED;
    x->root = false;
    x->current = VMX_NO_REGION;
    return 0;
}

/* --- current VMCS --- */

static void write_back(struct vmx *x, u64 state)
{
    struct vmcs_region *r = region_at(x, x->current);
    for (unsigned i = 0; i < VMCS_FIELDS; i++)
        r->value[i] = vmcs_get(&x->vmcs, i);
    r->state = STORED | state;
}

/* A region that nothing was ever stored in gives an empty VMCS; the processor's registers stay what they are. */
static void load(struct vmx *x, hpa_t at)
{
    const struct vmcs_region *r = region_at(x, at);
    vmcs_init(&x->vmcs, &x->cpu->state, x->caps.features);
    x->current = at;
    x->vmcs.launched = r->state & LAUNCHED;
    for (unsigned i = 0; r->state & STORED && i < VMCS_FIELDS; i++)
        vmcs_set(&x->vmcs, i, r->value[i]);
}

int vmx_vmclear(struct vmx *x, hpa_t at)
{
    if (!x->root)
        return VMX_UNDEFINED;
    if (!is_region(x, at))
        return fail(x, VMFAIL_VMCLEAR_ADDRESS);
    if (at == x->vmxon_region)
        return fail(x, VMFAIL_VMCLEAR_VMXON);
    if (at == x->current) {
        write_back(x, 0);
        x->current = VMX_NO_REGION;
    }
    region_at(x, at)->state &= ~(u64)LAUNCHED;
    return 0;
}

int vmx_vmptrld(struct vmx *x, hpa_t at)
{
    if (!x->root)
        return VMX_UNDEFINED;
    if (!is_region(x, at))
        return fail(x, VMFAIL_VMPTRLD_ADDRESS);
    if (at == x->vmxon_region)
        return fail(x, VMFAIL_VMPTRLD_VMXON);
    if (region_at(x, at)->revision != VMCS_REVISION)
        return fail(x, VMFAIL_VMPTRLD_REVISION);
    if (at == x->current)
        return 0;
    if (has_current(x))
        write_back(x, x->vmcs.launched ? LAUNCHED : 0);
    load(x, at);
    return 0;
}

int vmx_vmptrst(const struct vmx *x, hpa_t *at)
{
    *at = x->current;
    return x->root ? 0 : VMX_UNDEFINED;
}

int vmx_begin(struct vmx *x)
{
    hpa_t vmxon = hostmem_alloc(x->host), vmcs = hostmem_alloc(x->host);
    if (!vmxon || !vmcs)
        return VMFAIL_INVALID;
    region_at(x, vmxon)->revision = region_at(x, vmcs)->revision = VMCS_REVISION;
    int failed = vmx_vmxon(x, vmxon);
    failed = failed ? failed : vmx_vmclear(x, vmcs);
    return failed ? failed : vmx_vmptrld(x, vmcs);
}

/* --- cached translations (29.4) --- */

static bool canonical(u64 a) { return (u64)((s64)(a << 16) >> 16) == a; }

/* Of an EPT pointer that a VM entry would refuse nothing can be cached: error 28. */
int vmx_invept(struct vmx *x, u64 type, u64 eptp, u64 reserved)
{
    if (!x->root || !(x->caps.features & FEATURE_EPT))
        return VMX_UNDEFINED;
    bool single = type == INVEPT_SINGLE;
    if ((!single && type != INVEPT_ALL) || (single && (reserved || !vmx_eptp_ok(x, eptp))))
        return fail(x, VMFAIL_INVALIDATION);
    if (!single || EPT_FRAME(eptp) == x->tagged_tables) {
        mmu_flush(&x->cpu->mmu, true);
        walk_caches_drop(&x->cpu->mmu.caches, DIMENSION_NESTED);
    }
    return 0;
}

/* This processor's TLB holds the translations of one VPID, the one entered last. */
int vmx_invvpid(struct vmx *x, u64 type, u64 vpid, gva_t gva)
{
    if (!x->root || !(x->caps.features & FEATURE_VPID))
        return VMX_UNDEFINED;
    bool one = type != INVVPID_ALL;
    if (type > INVVPID_KEEP_GLOBALS || vpid >> 16 || (one && !vpid) || (type == INVVPID_ADDRESS && !canonical(gva)))
        return fail(x, VMFAIL_INVALIDATION);
    if (one && vpid != x->vpid)
        return 0;
    if (type == INVVPID_ADDRESS)
        mmu_invlpg(&x->cpu->mmu, gva);
    else
        mmu_flush(&x->cpu->mmu, type != INVVPID_KEEP_GLOBALS);
    return 0;
}
