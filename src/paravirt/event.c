/* SPDX-License-Identifier: MIT */
/*
 * Event channels: the hypervisor's interrupts. A port has a pending bit and a mask bit in shared_info; a transition of
 * pending to 1 on an unmasked port sets the port's word in evtchn_pending_sel and then evtchn_upcall_pending. The
 * upcall itself is made on the way back to the guest, unless evtchn_upcall_mask holds it off.
 */
#include "paravirt/domain.h"

static bool test_and_set(u32 *word, unsigned bit)
{
    bool was = *word >> bit & 1;
    *word |= 1u << bit;
    return was;
}

bool event_pending(const struct domain *d)
{
    return d->v.info->evtchn_upcall_pending && !d->v.info->evtchn_upcall_mask;
}

/* The upcall is due: set the word's selector and the vcpu's flag. */
static void mark_upcall(struct domain *d, u32 port)
{
    if (!test_and_set(&d->v.info->evtchn_pending_sel, port / 32))
        d->v.info->evtchn_upcall_pending = 1;
    vcpu_wake(d);
}

void event_set_pending(struct domain *d, u32 port)
{
    charge(d, EV_PV_EVENT);
    if (test_and_set(&d->shared->evtchn_pending[port / 32], port % 32))
        return;
    if (!(d->shared->evtchn_mask[port / 32] >> port % 32 & 1))
        mark_upcall(d, port);
    else if (d->v.polling)
        vcpu_wake(d);
}

void event_raise_virq(struct domain *d, u32 virq)
{
    for (u32 i = 1; i < PV_PORTS; i++)
        if (d->port[i].state == EVTCHNSTAT_virq && d->port[i].virq == virq)
            event_set_pending(d, i);
}

/* --- ports --- */

static s32 port_alloc(struct domain *d, u8 state)
{
    for (u32 i = 1; i < PV_PORTS; i++)
        if (d->port[i].state == EVTCHNSTAT_closed) {
            d->port[i] = (struct port){ .state = state };
            return i;
        }
    return -XEN_ENOSPC;
}

static struct port *port_of(struct domain *d, u32 port)
{
    return port && port < PV_PORTS && d->port[port].state != EVTCHNSTAT_closed ? &d->port[port] : NULL;
}

u32 event_bind_backend(struct domain *d, enum backend backend)
{
    s32 port = port_alloc(d, EVTCHNSTAT_interdomain);
    if (port < 0)
        return 0;
    d->port[port].backend = backend;
    return port;
}

/* Domain 0 takes the other end of a port that the guest made for it. */
bool event_bind_device(struct domain *d, u32 port, struct backend_device *device)
{
    struct port *p = port_of(d, port);
    if (!p || p->state != EVTCHNSTAT_unbound || p->remote_dom != DOMID_DRIVER)
        return false;
    *p = (struct port){ .state = EVTCHNSTAT_interdomain, .backend = BACKEND_DEVICE, .remote_dom = DOMID_DRIVER, .device = device };
    return true;
}

/* And closes it: the guest's end waits for another, as before. */
void event_unbind_device(struct domain *d, u32 port)
{
    if (port)
        d->port[port] = (struct port){ .state = EVTCHNSTAT_unbound, .remote_dom = DOMID_DRIVER };
}

/* The domain at the other end, if it is a guest that lives. */
static struct domain *remote_of(struct domain *d, const struct port *p)
{
    return p->state == EVTCHNSTAT_interdomain && !p->backend ? xen_find_any(d, p->remote_dom) : NULL;
}

/* The other end stays, and waits for this domain to bind it again. */
static void port_close(struct domain *d, u32 port)
{
    struct port *p = &d->port[port];
    struct domain *remote = remote_of(d, p);
    if (p->backend == BACKEND_DEVICE)
        backend_lost_port(p->device);
    if (remote)
        remote->port[p->remote_port] = (struct port){ .state = EVTCHNSTAT_unbound, .remote_dom = d->domid };
    *p = (struct port){ 0 };
    d->shared->evtchn_pending[port / 32] &= ~(1u << port % 32);
}

void event_close_all(struct domain *d)
{
    for (u32 i = 1; i < PV_PORTS; i++)
        if (d->port[i].state != EVTCHNSTAT_closed)
            port_close(d, i);
}

/* --- event_channel_op: the argument was copied in; what changes is copied back --- */

/* Only a privileged domain may name another one. */
static s32 check_self(struct domain *d, u16 domid)
{
    if (domid == DOMID_SELF || domid == d->domid)
        return 0;
    return domid == DOMID_DRIVER || xen_find(d->xen, domid) ? -XEN_EPERM : -XEN_ESRCH;
}

static s32 op_alloc_unbound(struct domain *d, void *arg)
{
    struct evtchn_alloc_unbound *a = arg;
    s32 rc = check_self(d, a->dom);
    if (rc < 0)
        return rc;
    s32 port = port_alloc(d, EVTCHNSTAT_unbound);
    if (port < 0)
        return port;
    d->port[port].remote_dom = a->remote_dom == DOMID_SELF ? d->domid : a->remote_dom;
    a->port = port;
    return 0;
}

/* Both ends are connected at once. Domain 0's ports are its back-ends' to bind. */
static s32 op_bind_interdomain(struct domain *d, void *arg)
{
    struct evtchn_bind_interdomain *a = arg;
    struct domain *other = xen_find_any(d, a->remote_dom);
    struct port *remote = other ? port_of(other, a->remote_port) : NULL;
    if (!other)
        return -XEN_ESRCH;
    if (!remote || remote->state != EVTCHNSTAT_unbound || remote->remote_dom != d->domid)
        return -XEN_EINVAL;
    s32 port = port_alloc(d, EVTCHNSTAT_interdomain);
    if (port < 0)
        return port;
    d->port[port].remote_port = a->remote_port;
    d->port[port].remote_dom = other->domid;
    *remote = (struct port){ .state = EVTCHNSTAT_interdomain, .remote_dom = d->domid, .remote_port = port };
    a->local_port = port;
    event_set_pending(d, port); /* what was sent while nobody listened is looked at */
    return 0;
}

static s32 op_bind_virq(struct domain *d, void *arg)
{
    struct evtchn_bind_virq *a = arg;
    if (a->virq >= NR_VIRQS)
        return -XEN_EINVAL;
    if (a->vcpu)
        return -XEN_ENOENT;
    for (u32 i = 1; i < PV_PORTS; i++)
        if (d->port[i].state == EVTCHNSTAT_virq && d->port[i].virq == a->virq)
            return -XEN_EEXIST;
    s32 port = port_alloc(d, EVTCHNSTAT_virq);
    if (port < 0)
        return port;
    d->port[port].virq = a->virq;
    a->port = port;
    return 0;
}

static s32 op_bind_pirq(struct domain *d, void *arg) { return -XEN_EPERM; } /* no hardware is passed through */

static s32 op_bind_ipi(struct domain *d, void *arg)
{
    struct evtchn_bind_ipi *a = arg;
    if (a->vcpu)
        return -XEN_ENOENT;
    s32 port = port_alloc(d, EVTCHNSTAT_ipi);
    if (port < 0)
        return port;
    a->port = port;
    return 0;
}

static s32 op_close(struct domain *d, void *arg)
{
    struct evtchn_close *a = arg;
    if (!port_of(d, a->port))
        return -XEN_EINVAL;
    port_close(d, a->port);
    return 0;
}

static struct xenstore_domain_interface *store_ring(struct domain *d)
{
    return (struct xenstore_domain_interface *)frame_hva(d, d->store_mfn);
}

void events_tell_store(struct xen *x)
{
    for (unsigned i = 0; i < XEN_DOMAINS_MOST; i++) {
        struct domain *d = x->domain[i];
        if (d && d->started && store_deliver(&d->store, store_ring(d)))
            event_set_pending(d, d->store_port);
    }
}

/* xenstored lives in domain 0 as well. */
static void store_notify(struct domain *d, struct port *p)
{
    charge_n(d, EV_PV_DOMAIN_SWITCH, 2);
    charge(d, EV_PV_DRIVER_UPCALL);
    if (store_serve(&d->store, store_ring(d)))
        event_set_pending(d, d->store_port);
}

static void guest_notify(struct domain *d, struct port *p)
{
    struct domain *remote = remote_of(d, p);
    if (remote)
        event_set_pending(remote, p->remote_port);
}
static void console_kicked(struct domain *d, struct port *p) { console_notify(d); }
static void device_notify(struct domain *d, struct port *p) { backend_notify(p->device); }

static s32 op_send(struct domain *d, void *arg)
{
    static void (*const notify[])(struct domain *, struct port *) = {
        [BACKEND_NONE] = guest_notify, [BACKEND_CONSOLE] = console_kicked, [BACKEND_STORE] = store_notify, [BACKEND_DEVICE] = device_notify,
    };
    struct evtchn_send *a = arg;
    struct port *p = port_of(d, a->port);
    if (!p)
        return -XEN_EINVAL;
    switch (p->state) {
    case EVTCHNSTAT_interdomain:
        notify[p->backend](d, p);
        events_tell_store(d->xen);
        return 0;
    case EVTCHNSTAT_ipi:
        event_set_pending(d, a->port);
        return 0;
    case EVTCHNSTAT_unbound:
        return 0; /* nobody listens yet: dropped */
    }
    return -XEN_EINVAL;
}

static s32 op_status(struct domain *d, void *arg)
{
    struct evtchn_status *a = arg;
    s32 rc = check_self(d, a->dom);
    if (rc < 0)
        return rc;
    if (a->port >= PV_PORTS)
        return -XEN_EINVAL;
    const struct port *p = &d->port[a->port];
    a->status = p->state;
    a->vcpu = 0;
    if (p->state == EVTCHNSTAT_unbound)
        a->u.unbound.dom = p->remote_dom;
    else if (p->state == EVTCHNSTAT_interdomain) {
        a->u.interdomain.dom = p->remote_dom;
        a->u.interdomain.port = p->remote_port;
    } else if (p->state == EVTCHNSTAT_virq)
        a->u.virq = p->virq;
    return 0;
}

static s32 op_bind_vcpu(struct domain *d, void *arg)
{
    struct evtchn_bind_vcpu *a = arg;
    struct port *p = port_of(d, a->port);
    if (a->vcpu)
        return -XEN_ENOENT;
    return p && (p->state == EVTCHNSTAT_interdomain || p->state == EVTCHNSTAT_unbound) ? 0 : -XEN_EINVAL;
}

static s32 op_unmask(struct domain *d, void *arg)
{
    u32 port = ((struct evtchn_unmask *)arg)->port;
    if (!port_of(d, port))
        return -XEN_EINVAL;
    bool masked = d->shared->evtchn_mask[port / 32] >> port % 32 & 1;
    d->shared->evtchn_mask[port / 32] &= ~(1u << port % 32);
    if (masked && d->shared->evtchn_pending[port / 32] >> port % 32 & 1)
        mark_upcall(d, port);
    return 0;
}

static s32 op_reset(struct domain *d, void *arg)
{
    struct evtchn_reset *a = arg;
    s32 rc = check_self(d, a->dom);
    if (rc < 0)
        return rc;
    event_close_all(d);
    return 0;
}

struct event_op {
    s32 (*handler)(struct domain *, void *);
    u8 size;
    bool copy_back;
};

static const struct event_op event_ops[] = {
    [EVTCHNOP_bind_interdomain] = { op_bind_interdomain, sizeof(struct evtchn_bind_interdomain), true },
    [EVTCHNOP_bind_virq] = { op_bind_virq, sizeof(struct evtchn_bind_virq), true },
    [EVTCHNOP_bind_pirq] = { op_bind_pirq, sizeof(struct evtchn_bind_pirq), true },
    [EVTCHNOP_close] = { op_close, sizeof(struct evtchn_close), false },
    [EVTCHNOP_send] = { op_send, sizeof(struct evtchn_send), false },
    [EVTCHNOP_status] = { op_status, sizeof(struct evtchn_status), true },
    [EVTCHNOP_alloc_unbound] = { op_alloc_unbound, sizeof(struct evtchn_alloc_unbound), true },
    [EVTCHNOP_bind_ipi] = { op_bind_ipi, sizeof(struct evtchn_bind_ipi), true },
    [EVTCHNOP_bind_vcpu] = { op_bind_vcpu, sizeof(struct evtchn_bind_vcpu), false },
    [EVTCHNOP_unmask] = { op_unmask, sizeof(struct evtchn_unmask), false },
    [EVTCHNOP_reset] = { op_reset, sizeof(struct evtchn_reset), false },
};

static s32 event_op(struct domain *d, u32 cmd, u32 gva)
{
    union { struct evtchn_status largest; u8 bytes[64]; } arg;
    if (cmd >= ARRAY_LEN(event_ops) || !event_ops[cmd].handler)
        return -XEN_ENOSYS;
    const struct event_op *op = &event_ops[cmd];
    _Static_assert(sizeof arg >= sizeof(struct evtchn_status), "the largest argument fits");
    if (copy_from_guest(d, &arg, gva, op->size) < 0)
        return -XEN_EFAULT;
    s32 rc = op->handler(d, &arg);
    if (rc == 0 && op->copy_back && copy_to_guest(d, gva, &arg, op->size) < 0)
        return -XEN_EFAULT;
    return rc;
}

s32 do_event_channel_op(struct domain *d, const u32 arg[6])
{
    return event_op(d, arg[0], arg[1]);
}

/* The old form has command and arguments in one structure. */
s32 do_event_channel_op_compat(struct domain *d, const u32 arg[6])
{
    u32 cmd;
    if (copy_from_guest(d, &cmd, arg[0], sizeof cmd) < 0)
        return -XEN_EFAULT;
    return event_op(d, cmd, arg[0] + offsetof(struct evtchn_op, u));
}
