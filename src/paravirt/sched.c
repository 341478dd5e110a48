/* SPDX-License-Identifier: MIT */
/* Scheduling: a guest that has nothing to do blocks until an event; one that has finished says why. */
#include "paravirt/domain.h"

void vcpu_block(struct domain *d)
{
    d->v.info->evtchn_upcall_mask = 0; /* waiting and unmasking are one step: no wake-up can be missed */
    if (event_pending(d))
        return;
    charge(d, EV_PV_BLOCK);
    d->v.blocked = true;
    runstate_change(d, RUNSTATE_blocked);
}

void vcpu_wake(struct domain *d)
{
    if (!d->v.blocked)
        return;
    d->v.blocked = d->v.polling = false;
    timer_cancel(&d->vm->clock, &d->v.poll_timeout);
    runstate_change(d, RUNSTATE_running);
}

static s32 shut_down(struct domain *d, u32 reason)
{
    switch (reason) {
    case SHUTDOWN_poweroff:
        domain_end(d, EXIT_POWEROFF, "the guest shut down");
        return 0;
    case SHUTDOWN_reboot:
        domain_end(d, EXIT_RESET, "the guest asked for a reboot");
        return 0;
    case SHUTDOWN_suspend:
        return 1; /* "suspend was cancelled": nobody is there to save it */
    case SHUTDOWN_crash:
        domain_end(d, EXIT_STOPPED, "the guest kernel reported its own crash (SHUTDOWN_crash)");
        return 0;
    }
    if (reason > SHUTDOWN_MAX)
        return -XEN_EINVAL;
    domain_end(d, EXIT_STOPPED, "the guest shut down with reason %u", reason);
    return 0;
}

static s32 op_shutdown(struct domain *d, u32 gva)
{
    struct sched_shutdown s;
    return copy_from_guest(d, &s, gva, sizeof s) < 0 ? -XEN_EFAULT : shut_down(d, s.reason);
}

/* To another domain, if there is one. */
static s32 op_yield(struct domain *d, u32 gva)
{
    d->yielded = d->xen->ndomains > 1;
    return 0;
}

static s32 op_block(struct domain *d, u32 gva)
{
    vcpu_block(d);
    return 0;
}

static bool port_pending(const struct domain *d, u32 port)
{
    return d->shared->evtchn_pending[port / 32] >> port % 32 & 1;
}

#define POLL_MOST 128 /* ports, as in Xen */

/* Wait until one of some ports is pending, masked or not, or until a time. */
static s32 op_poll(struct domain *d, u32 gva)
{
    struct sched_poll32 p;
    if (copy_from_guest(d, &p, gva, sizeof p) < 0)
        return -XEN_EFAULT;
    if (p.nr_ports > POLL_MOST)
        return -XEN_EINVAL;
    for (u32 i = 0; i < p.nr_ports; i++) {
        u32 port;
        if (copy_from_guest(d, &port, p.ports + i * 4, 4) < 0)
            return -XEN_EFAULT;
        if (port >= PV_PORTS)
            return -XEN_EINVAL;
        if (port_pending(d, port))
            return 0;
    }
    if (p.timeout)
        timer_set(&d->vm->clock, &d->v.poll_timeout, system_time_to_cycle(d, p.timeout));
    charge(d, EV_PV_BLOCK);
    d->v.blocked = d->v.polling = true;
    runstate_change(d, RUNSTATE_blocked);
    return 0;
}

/* The code is kept by whoever looks at the domain later: here, nobody. */
static s32 op_shutdown_code(struct domain *d, u32 gva)
{
    struct sched_shutdown s;
    return copy_from_guest(d, &s, gva, sizeof s);
}

s32 do_sched_op(struct domain *d, const u32 arg[6])
{
    static s32 (*const handler[])(struct domain *, u32) = {
        [SCHEDOP_yield] = op_yield, [SCHEDOP_block] = op_block, [SCHEDOP_shutdown] = op_shutdown,
        [SCHEDOP_poll] = op_poll, [SCHEDOP_shutdown_code] = op_shutdown_code,
    };
    if (arg[0] >= ARRAY_LEN(handler) || !handler[arg[0]])
        return -XEN_ENOSYS;
    return handler[arg[0]](d, arg[1]);
}

/* The old form passes the reason by value, of which Xen looks at the low byte only. A kernel that passes the new form's structure gets
 * the low byte of its address for a reason: then what the structure says is told as well. */
static void unknown_shutdown(struct domain *d, u32 arg)
{
    static const char *const names[] = {
        [SHUTDOWN_poweroff] = "power off", [SHUTDOWN_reboot] = "reboot", [SHUTDOWN_suspend] = "suspend", [SHUTDOWN_crash] = "crash",
        [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft reset",
    };
    struct sched_shutdown s;
    if (arg > 0xff && copy_from_guest(d, &s, arg, sizeof s) == 0 && s.reason < ARRAY_LEN(names))
        domain_end(d, EXIT_STOPPED, "the guest shut down: it passed the structure at 0x%x, which says %u (%s), to the old form of sched_op, "
                   "which takes the number itself and so sees %u, which means nothing", arg, s.reason, names[s.reason], arg & 0xff);
    else
        domain_end(d, EXIT_STOPPED, "the guest shut down with reason %u, which means nothing (0 power off, 1 reboot, 2 suspend, 3 crash)",
                   arg & 0xff);
}

s32 do_sched_op_compat(struct domain *d, const u32 arg[6])
{
    u8 reason = arg[1];
    if (arg[0] == SCHEDOP_shutdown) {
        if (shut_down(d, reason) < 0)
            unknown_shutdown(d, arg[1]);
        return 0;
    }
    if (arg[0] == SCHEDOP_yield || arg[0] == SCHEDOP_block)
        return do_sched_op(d, arg);
    return -XEN_ENOSYS;
}
