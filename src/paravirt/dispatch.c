/* SPDX-License-Identifier: MIT */
/* Hypercalls: the table, the trap that brings them, and multicall, which brings many for the price of one. */
#include "paravirt/domain.h"

const struct hypercall hypercalls[] = {
#define HYPERCALL(nr, name, nargs, event, help) { nr, #name, nargs, EV_##event, do_##name, help },
#include "paravirt/hypercalls.def"
#undef HYPERCALL
    { 0, NULL, 0, 0, NULL, NULL },
};

const struct hypercall *hypercall_find(u32 nr)
{
    for (const struct hypercall *h = hypercalls; h->name; h++)
        if (h->nr == nr)
            return h;
    return NULL;
}

static s32 invoke(struct domain *d, const struct hypercall *h, const u32 arg[6])
{
    s32 rc = h->handler(d, arg);
    trace(&d->vm->tracer, HYPERCALL, "nr=%u name=%s a1=0x%x a2=0x%x a3=0x%x a4=0x%x result=%d", h->nr, h->name,
          arg[0], arg[1], arg[2], arg[3], rc);
    return rc;
}

s32 hypercall_call(struct domain *d, u32 nr, const u32 arg[6])
{
    const struct hypercall *h = hypercall_find(nr);
    charge(d, h ? h->event : EV_PV_HC_NONE);
    if (h)
        return invoke(d, h, arg);
    trace(&d->vm->tracer, HYPERCALL, "nr=%u name=none result=%d", nr, -XEN_ENOSYS);
    return -XEN_ENOSYS;
}

void hypercall_trap(struct domain *d)
{
    struct cpu_state *s = &domain_cpu(d)->state;
    u32 arg[6] = { s->gpr[RBX], s->gpr[RCX], s->gpr[RDX], s->gpr[RSI], s->gpr[RDI], s->gpr[RBP] };
    s->gpr[RAX] = (u32)hypercall_call(d, (u32)s->gpr[RAX], arg);
}

/* Calls that take the guest's registers with them, or would nest, make no sense within a batch. */
static bool batchable(const struct hypercall *h)
{
    return h && h->nr != __HYPERVISOR_multicall && h->nr != __HYPERVISOR_iret;
}

static s32 multicall_entry(struct domain *d, u32 gva)
{
    struct multicall_entry32 e;
    if (copy_from_guest(d, &e, gva, sizeof e) < 0)
        return -XEN_EFAULT;
    charge(d, EV_PV_MULTICALL_ENTRY);
    const struct hypercall *h = hypercall_find(e.op);
    e.result = batchable(h) ? invoke(d, h, e.args) : -XEN_ENOSYS;
    return copy_to_guest(d, gva + offsetof(struct multicall_entry32, result), &e.result, sizeof e.result);
}

#define MULTICALL_MOST 4096 /* entries: what a guest may keep the hypervisor busy with */

s32 do_multicall(struct domain *d, const u32 arg[6])
{
    u32 gva = arg[0], n = arg[1];
    if (n > MULTICALL_MOST || !guest_range_ok(gva, (u64)n * sizeof(struct multicall_entry32)))
        return n > MULTICALL_MOST ? -XEN_EINVAL : -XEN_EFAULT;
    for (; n && !d->ended; n--, gva += sizeof(struct multicall_entry32))
        if (multicall_entry(d, gva) < 0)
            return -XEN_EFAULT;
    return 0;
}
