/* SPDX-License-Identifier: MIT */
/*
 * Traps: every exception and every INT n of the guest comes here first, because the hypervisor owns the IDT.
 * They are emulated (a privileged instruction in ring 1), answered (hypercalls, the GDT and LDT), sent straight on
 * (the guest's system calls), or bounced to the handler that the guest registered.
 */
#include "paravirt/domain.h"

#define HYPERCALL_VECTOR 0x82
#define TRAP_MASKS_EVENTS 4 /* trap_info.flags: TI_GET_IF */

/* A null privilege in the selector means a kernel that believes itself in ring 0. */
static u16 guest_selector(u16 selector)
{
    return selector & 3 ? selector : selector | 1;
}

/* --- registration --- */

static s32 traps_clear(struct domain *d)
{
    for (unsigned i = 0; i < 256; i++)
        d->v.trap[i] = (trap_info32){ 0 };
    direct_trap_set(d);
    return 0;
}

s32 do_set_trap_table(struct domain *d, const u32 arg[6])
{
    u32 gva = arg[0];
    if (!gva)
        return traps_clear(d);
    for (unsigned i = 0; i <= 256; i++, gva += sizeof(trap_info32)) {
        trap_info32 t;
        if (copy_from_guest(d, &t, gva, sizeof t) < 0)
            return -XEN_EFAULT;
        if (!t.address) {
            direct_trap_set(d);
            return 0;
        }
        t.cs = guest_selector(t.cs);
        d->v.trap[t.vector] = t;
    }
    direct_trap_set(d);
    return -XEN_EINVAL; /* more entries than vectors */
}

s32 do_set_callbacks(struct domain *d, const u32 arg[6])
{
    d->v.event_cs = guest_selector(arg[0]);
    d->v.event_eip = arg[1];
    d->v.failsafe_cs = guest_selector(arg[2]);
    d->v.failsafe_eip = arg[3];
    d->v.failsafe_masks = false;
    return 0;
}

static s32 callback_register(struct domain *d, const struct callback_register32 *r)
{
    switch (r->type) {
    case CALLBACKTYPE_event:
        d->v.event_cs = guest_selector(r->cs);
        d->v.event_eip = r->eip;
        return 0;
    case CALLBACKTYPE_failsafe:
        d->v.failsafe_cs = guest_selector(r->cs);
        d->v.failsafe_eip = r->eip;
        d->v.failsafe_masks = r->flags & CALLBACKF_mask_events;
        return 0;
    case CALLBACKTYPE_nmi:
        return 0; /* this machine has none to deliver */
    }
    return -XEN_ENOSYS; /* SYSENTER and SYSCALL callbacks: only in 64-bit hypervisors */
}

s32 do_callback_op(struct domain *d, const u32 arg[6])
{
    struct callback_register32 r = { 0 };
    if (arg[0] == CALLBACKOP_register)
        return copy_from_guest(d, &r, arg[1], sizeof r) < 0 ? -XEN_EFAULT : callback_register(d, &r);
    if (arg[0] == CALLBACKOP_unregister)
        return copy_from_guest(d, &r, arg[1], sizeof(struct callback_unregister)) < 0 ? -XEN_EFAULT
               : r.type == CALLBACKTYPE_nmi ? 0 : -XEN_EINVAL;
    return -XEN_ENOSYS;
}

void set_ts(struct domain *d, bool ts)
{
    u64 cr0 = domain_cpu(d)->state.cr0;
    d->v.ts = ts;
    cpu_write_cr(domain_cpu(d), 0, ts ? cr0 | CR0_TS : cr0 & ~(u64)CR0_TS);
}

s32 do_fpu_taskswitch(struct domain *d, const u32 arg[6])
{
    set_ts(d, arg[0]);
    return 0;
}

/* --- injection --- */

void trap_inject(struct domain *d, u8 vector, bool has_error, u32 error)
{
    const trap_info32 *t = &d->v.trap[vector];
    if (!t->address) {
        domain_crash(d, "exception %u (error 0x%x) at %x:%llx has no handler", vector, error,
                     domain_cpu(d)->state.seg[CS].selector, (unsigned long long)domain_cpu(d)->state.rip);
        return;
    }
    trace(&d->vm->tracer, EXC, "vector=%u error=0x%x rip=0x%llx bounce=0x%x", vector, error,
          (unsigned long long)domain_cpu(d)->state.rip, t->address);
    bounce(d, t->cs, t->address, has_error, error, t->flags & TRAP_MASKS_EVENTS);
}

void trap_inject_pf(struct domain *d, u32 error, u32 cr2)
{
    d->v.info->arch.cr2 = cr2;
    trap_inject(d, VEC_PF, true, error);
}

/* --- reception --- */

/* The hardware's part of an exception costs what it costs on the bare processor. */
static void charge_hardware(struct domain *d, const struct trap *t)
{
    struct cpu *c = domain_cpu(d);
    bool soft = t->type == TRAP_SOFT_INT;
    ledger_guest(&d->vm->ledger, soft, soft ? c->cost[COST_SYSCALL] : t->vector == VEC_PF ? c->cost_pf : c->cost_exc);
}

static void on_page_fault(struct domain *d, const struct trap *t)
{
    u32 cr2 = t->cr2;
    if (cr2 - LDT_VIRT < 0x10000 && !(t->error & PF_USER)) {
        if (ldt_fault(d, cr2))
            return; /* the instruction runs again and finds its descriptor */
        charge(d, EV_PV_BOUNCE);
        trap_inject(d, VEC_GP, true, ((cr2 - LDT_VIRT) & 0xfff8) | 4);
        return;
    }
    if (guest_kernel_mode(d) && t->error == (PF_PRESENT | PF_WRITE) && ptwr_emulate(d, cr2))
        return;
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE_PF);
    trap_inject_pf(d, t->error, cr2);
}

static void on_general_protection(struct domain *d, const struct trap *t)
{
    if (guest_kernel_mode(d) && t->error == 0 && emulate_privileged(d))
        return;
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE);
    trap_inject(d, VEC_GP, true, t->error);
}

/* The FPU belongs to another of the guest's tasks. CR0.TS is already clear when the guest's handler runs. */
static void on_no_fpu(struct domain *d, const struct trap *t)
{
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE);
    set_ts(d, false);
    trap_inject(d, VEC_NM, false, 0);
}

static void on_undefined(struct domain *d, const struct trap *t)
{
    if (guest_kernel_mode(d) && emulate_forced_cpuid(d))
        return;
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE);
    trap_inject(d, VEC_UD, false, 0);
}

static void on_debug(struct domain *d, const struct trap *t)
{
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE);
    d->v.dr[6] |= t->dr6;
    trap_inject(d, VEC_DB, false, 0);
}

static void on_exception(struct domain *d, const struct trap *t)
{
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE);
    trap_inject(d, t->vector, t->has_error, t->error);
}

/* The processor delivers it by itself; only faults on the way come back to us. */
static void direct(struct domain *d, const struct trap *t)
{
    struct cpu *c = domain_cpu(d);
    charge(d, EV_PV_DIRECT);
    enum cpu_stop_kind kind = cpu_deliver(c, t);
    if (kind != STOP_DEADLINE)
        domain_crash(d, "its INT 80h handler %x:%x or kernel stack %x:%x cannot be entered", d->v.trap[0x80].cs,
                     d->v.trap[0x80].address, d->v.kernel_ss, d->v.kernel_sp);
}

/* INT n and INT3, INTO: the guest's table says which ring may use which vector (SDM vol. 3, 6.12.1.2). */
static void on_software_interrupt(struct domain *d, const struct trap *t)
{
    struct cpu *c = domain_cpu(d);
    const trap_info32 *h = &d->v.trap[t->vector];
    if (t->type == TRAP_SOFT_INT && t->vector == HYPERCALL_VECTOR && guest_kernel_mode(d)) {
        c->state.rip = (u32)(c->state.rip + t->insn_len);
        hypercall_trap(d);
        return;
    }
    if (!h->address || (h->flags & 3) < state_cpl(&c->state)) {
        charge_hardware(d, t);
        charge(d, EV_PV_BOUNCE);
        trap_inject(d, VEC_GP, true, t->vector << 3 | 2);
        return;
    }
    if (t->vector == 0x80 && direct_trap(d)) {
        direct(d, t);
        return;
    }
    charge_hardware(d, t);
    charge(d, EV_PV_BOUNCE_INT);
    c->state.rip = (u32)(c->state.rip + t->insn_len);
    trap_inject(d, t->vector, false, 0);
}

void trap_handle(struct domain *d, const struct cpu_stop *stop)
{
    static void (*const handler[32])(struct domain *, const struct trap *) = {
        [VEC_PF] = on_page_fault, [VEC_GP] = on_general_protection, [VEC_NM] = on_no_fpu,
        [VEC_UD] = on_undefined, [VEC_DB] = on_debug,
    };
    const struct trap *t = &stop->trap;
    if (t->type == TRAP_SOFT_INT || t->type == TRAP_SOFT_EXC)
        on_software_interrupt(d, t);
    else if (t->vector < 32 && handler[t->vector])
        handler[t->vector](d, t);
    else
        on_exception(d, t);
}
