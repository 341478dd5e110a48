/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls: the table, the trap that brings them, and multicall, which brings many for the price of one.
 *
 * A call that works through a long list pauses when its time is over: its arguments are changed to what is left, and
 * the guest is set back to its INT 82h, so that it asks again by itself. Meanwhile timers, events and whoever watches
 * get their turn.
 */
#include "paravirt/domain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* Where a call that takes a list says how long it is. 0: it takes none. */
static unsigned list_argument(u32 nr)
{
    static const u8 argument[HYPERCALLS_COUNTED] = {
        [__HYPERVISOR_mmu_update] = 1, [__HYPERVISOR_mmuext_op] = 1, [__HYPERVISOR_multicall] = 1, [__HYPERVISOR_grant_table_op] = 2,
    };
    return argument[nr];
}

static void count_call(struct domain *d, u32 nr, const u32 arg[6])
{
    struct hypercall_count *c = &d->called[nr];
    u32 entries = list_argument(nr) ? arg[list_argument(nr)] : 0;
    if (entries & PREEMPTED)
        return; /* the rest of one that is counted */
    c->calls++;
    c->entries += entries;
    if (entries > c->most)
        c->most = entries;
}

void hypercalls_info(const struct domain *d, void *file)
{
    fprintf(file, "hypercalls by number:\n");
    for (u32 nr = 0; nr < HYPERCALLS_COUNTED; nr++) {
        const struct hypercall_count *c = &d->called[nr];
        if (!c->calls)
            continue;
        fprintf(file, "  %2u %-22s %10" PRIu64, nr, hypercall_find(nr)->name, c->calls);
        if (list_argument(nr))
            fprintf(file, "  batches of %" PRIu64 ".%" PRIu64 ", at most %u", c->entries / c->calls, c->entries * 10 / c->calls % 10, c->most);
        fputc('\n', file);
    }
}

static s32 invoke(struct domain *d, const struct hypercall *h, const u32 arg[6])
{
    count_call(d, h->nr, arg);
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

/* --- calls that go on later --- */

#define PAUSES_PER_SECOND 500 /* of virtual time */

bool hypercall_must_pause(const struct domain *d)
{
    return d->may_pause && d->vm->clock.now - d->call_started >= d->vm->clock.hz / PAUSES_PER_SECOND;
}

s32 hypercall_pause(struct domain *d, const u32 rest[6])
{
    memcpy(d->rest, rest, sizeof d->rest);
    d->paused = true;
    return 0;
}

static const u8 argument_register[6] = { RBX, RCX, RDX, RSI, RDI, RBP };
enum { INT_LEN = 2 /* CD 82 */ };

void hypercall_trap(struct domain *d)
{
    struct cpu_state *s = &domain_cpu(d)->state;
    u32 arg[6];
    for (unsigned i = 0; i < 6; i++)
        arg[i] = s->gpr[argument_register[i]];
    d->may_pause = true;
    d->call_started = d->vm->clock.now;
    u32 result = hypercall_call(d, (u32)s->gpr[RAX], arg);
    d->may_pause = false;
    if (!d->paused) {
        s->gpr[RAX] = result;
        return;
    }
    d->paused = false;
    s->rip = (u32)(s->rip - INT_LEN);
    for (unsigned i = 0; i < 6; i++)
        s->gpr[argument_register[i]] = d->rest[i];
}

/* --- multicall --- */

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
    if (d->paused) /* the entry itself goes on later, with what is left of it */
        return copy_to_guest(d, gva + offsetof(struct multicall_entry32, args), d->rest, sizeof d->rest);
    return copy_to_guest(d, gva + offsetof(struct multicall_entry32, result), &e.result, sizeof e.result);
}

#define MULTICALL_MOST 4096 /* entries: what a guest may keep the hypervisor busy with */

s32 do_multicall(struct domain *d, const u32 arg[6])
{
    u32 gva = arg[0], n = arg[1];
    if (n > MULTICALL_MOST || !guest_range_ok(gva, (u64)n * sizeof(struct multicall_entry32)))
        return n > MULTICALL_MOST ? -XEN_EINVAL : -XEN_EFAULT;
    for (; n && !d->ended; n--, gva += sizeof(struct multicall_entry32)) {
        int rc = multicall_entry(d, gva);
        bool unfinished = d->paused;
        d->paused = false;
        if (rc < 0)
            return -XEN_EFAULT;
        if (unfinished)
            return hypercall_pause(d, (u32[6]){ gva, n });
        if (n > 1 && hypercall_must_pause(d))
            return hypercall_pause(d, (u32[6]){ gva + sizeof(struct multicall_entry32), n - 1 });
    }
    return 0;
}
