/* SPDX-License-Identifier: MIT */
/*
 * The handshake. Each end has a node `state` in the store, and watches the other's:
 *
 *     front-end                                   back-end
 *     1 Initialising                              1 Initialising, writes its features, 2 InitWait
 *     grants its rings, makes an event channel,
 *     writes their numbers, 3 Initialised         maps the rings, binds the channel, 4 Connected
 *     4 Connected                                 ... requests and responses ...
 *     5 Closing, 6 Closed                         gives everything back, 6 Closed
 *     1 Initialising again                        2 InitWait
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paravirt/backend/backend.h"

/* --- nodes --- */

const char *backend_path(char buf[BACKEND_PATH + 32], const char *end, const char *node)
{
    snprintf(buf, BACKEND_PATH + 32, "%s/%s", end, node);
    return buf;
}

void backend_put(struct backend_device *b, const char *node, u64 value)
{
    char path[BACKEND_PATH + 32];
    store_put(&b->d->xen->store, backend_path(path, b->back, node), "%" PRIu64, value);
}

void backend_put_text(struct backend_device *b, const char *node, const char *value)
{
    char path[BACKEND_PATH + 32];
    store_put(&b->d->xen->store, backend_path(path, b->back, node), "%s", value);
}

bool backend_wish(struct backend_device *b, const char *node, u32 *value)
{
    char path[BACKEND_PATH + 32];
    return store_number(&b->d->xen->store, backend_path(path, b->front, node), value);
}

static void state_set(struct backend_device *b, enum xenbus_state state)
{
    if (b->state == state)
        return;
    b->state = state;
    backend_put(b, "state", state);
    trace(&b->d->vm->tracer, XENBUS, "device=%s id=%u state=%d", b->ops->type, b->id, state);
}

/* --- connecting --- */

static void rings_release(struct backend_device *b)
{
    for (unsigned i = 0; i < BACKEND_RINGS; i++)
        if (b->ring[i].page) {
            b->ring[i].page = NULL;
            charge_driver_unmap(b->d, 1);
            grant_release(b->d, b->ref[i], false);
        }
}

static void disconnect(struct backend_device *b)
{
    if (b->state == XenbusStateConnected && b->ops->disconnect)
        b->ops->disconnect(b);
    event_unbind_device(b->d, b->port);
    b->port = 0;
    rings_release(b);
}

static bool ring_map(struct backend_device *b, unsigned i)
{
    u32 mfn;
    charge_driver_map(b->d, 1);
    if (!backend_wish(b, b->ops->rings[i], &b->ref[i]) ||
        grant_acquire(b->d, DOMID_DRIVER, b->ref[i], false, &mfn) != GNTST_okay)
        return false;
    ring_connect(&b->ring[i], frame_hva(b->d, mfn), b->ops->slot[i]);
    return true;
}

static const char *connect(struct backend_device *b)
{
    u32 port;
    for (unsigned i = 0; i < BACKEND_RINGS && b->ops->rings[i]; i++)
        if (!ring_map(b, i))
            return "its ring is not granted to domain 0";
    if (!backend_wish(b, "event-channel", &port) || !event_bind_device(b->d, port, b))
        return "its event channel is not there for domain 0 to bind";
    b->port = port;
    return b->ops->connect(b) ? NULL : "it asks for what this back-end cannot do";
}

void backend_fail(struct backend_device *b, const char *why)
{
    char path[BACKEND_PATH + 32];
    b->errors++;
    store_put(&b->d->xen->store, backend_path(path, b->back, "error"), "%s", why);
    disconnect(b);
    state_set(b, XenbusStateClosing);
}

/* --- what the front-end's states ask of us --- */

static void on_start_over(struct backend_device *b)
{
    if (b->state == XenbusStateClosed || b->state == XenbusStateInitialising || b->state == XenbusStateClosing) {
        disconnect(b);
        state_set(b, XenbusStateInitWait);
    }
}

static void on_ready(struct backend_device *b)
{
    if (b->state != XenbusStateInitWait)
        return;
    const char *wrong = connect(b);
    if (wrong) {
        backend_fail(b, wrong);
        return;
    }
    state_set(b, XenbusStateConnected);
    b->ops->work(b); /* there may be requests already */
}

static void on_initialised(struct backend_device *b)
{
    if (!b->ops->late) /* a network's front-end may still have wishes to write */
        on_ready(b);
}

static void on_closing(struct backend_device *b)
{
    disconnect(b);
    state_set(b, XenbusStateClosing);
}

static void on_closed(struct backend_device *b)
{
    disconnect(b);
    state_set(b, XenbusStateClosed);
}

static void front_changed(void *opaque)
{
    static void (*const on[])(struct backend_device *) = {
        [XenbusStateUnknown] = on_closed, [XenbusStateInitialising] = on_start_over,
        [XenbusStateInitialised] = on_initialised, [XenbusStateConnected] = on_ready, [XenbusStateClosing] = on_closing, [XenbusStateClosed] = on_closed,
    };
    struct backend_device *b = opaque;
    u32 state = XenbusStateUnknown;
    backend_wish(b, "state", &state);
    if (state < ARRAY_LEN(on) && on[state])
        on[state](b);
}

/* --- events --- */

/* Domain 0 is switched to, looks, and the guest goes on. */
void backend_notify(struct backend_device *b)
{
    charge_n(b->d, EV_PV_DOMAIN_SWITCH, 2);
    charge(b->d, EV_PV_DRIVER_UPCALL);
    b->notified++;
    if (b->state == XenbusStateConnected)
        b->ops->work(b);
}

void backend_answered(struct backend_device *b, unsigned ring)
{
    if (b->ring[ring].page && ring_publish(&b->ring[ring]) && b->port) {
        charge(b->d, EV_PV_DRIVER_CALL);
        event_set_pending(b->d, b->port);
        cpu_kick(domain_cpu(b->d));
    }
}

void backend_lost_port(struct backend_device *b) { b->port = 0; }

void charge_driver_map(struct domain *d, u32 n)
{
    charge(d, EV_PV_DRIVER_CALL);
    charge_n(d, EV_PV_GRANT_MAP, n);
    charge_n(d, EV_PV_PT_UPDATE, n);
}

void charge_driver_unmap(struct domain *d, u32 n)
{
    charge(d, EV_PV_DRIVER_CALL);
    charge_n(d, EV_PV_GRANT_UNMAP, n);
    charge_n(d, EV_PV_PT_UPDATE, n);
}

/* --- devices --- */

void *backend_new(struct domain *d, const struct backend_ops *ops, size_t size, u32 id)
{
    struct drivers *all = d->drivers;
    struct backend_device *b = all->n < BACKENDS_MOST ? calloc(1, size) : NULL;
    if (!b)
        return NULL;
    b->ops = ops;
    b->d = d;
    b->id = id;
    b->state = XenbusStateInitialising;
    snprintf(b->front, sizeof b->front, "/local/domain/%u/device/%s/%u", d->domid, ops->type, id);
    snprintf(b->back, sizeof b->back, "/local/domain/%u/backend/%s/%u/%u", DOMID_DRIVER, ops->type, d->domid, id);
    all->device[all->n++] = b;
    return b;
}

/* The front-end's nodes are the guest's to write; ours it may read. */
void backend_start(struct backend_device *b)
{
    struct store *s = &b->d->xen->store;
    char path[BACKEND_PATH + 32];
    store_put(s, b->front, "%s", "");
    store_own(s, b->front, b->d->domid, DOMID_DRIVER, PERM_READ);
    store_put(s, backend_path(path, b->front, "backend"), "%s", b->back);
    store_put(s, backend_path(path, b->front, "backend-id"), "%u", DOMID_DRIVER);
    store_put(s, backend_path(path, b->front, "state"), "%d", XenbusStateInitialising);
    store_put(s, b->back, "%s", "");
    store_own(s, b->back, DOMID_DRIVER, b->d->domid, PERM_READ);
    backend_put_text(b, "frontend", b->front);
    backend_put(b, "frontend-id", b->d->domid);
    backend_put(b, "online", 1);
    b->ops->publish(b);
    backend_put(b, "state", b->state);
    store_watch_own(s, backend_path(path, b->front, "state"), front_changed, b);
}

void drivers_forget(struct domain *d)
{
    char path[BACKEND_PATH];
    snprintf(path, sizeof path, "/local/domain/%u", d->domid);
    store_drop(&d->xen->store, path);
    for (unsigned i = 0; d->drivers && i < d->drivers->n; i++) {
        struct backend_device *b = d->drivers->device[i];
        store_unwatch_own(&d->xen->store, b);
        disconnect(b);
        b->state = XenbusStateClosed;
        store_drop(&d->xen->store, b->back);
    }
}

void drivers_fini(struct domain *d)
{
    struct drivers *all = d->drivers;
    for (unsigned i = 0; all && i < all->n; i++) {
        if (all->device[i]->state == XenbusStateConnected && all->device[i]->ops->disconnect)
            all->device[i]->ops->disconnect(all->device[i]);
        if (all->device[i]->ops->free)
            all->device[i]->ops->free(all->device[i]);
        free(all->device[i]);
    }
    free(all);
    d->drivers = NULL;
}

void drivers_info(const struct domain *d, void *file)
{
    const struct drivers *all = d->drivers;
    for (unsigned i = 0; all && i < all->n; i++) {
        const struct backend_device *b = all->device[i];
        fprintf(file, "%s %u: state %d, notified %" PRIu64 " times, ", b->ops->type, b->id, b->state, b->notified);
        fprintf(file, "%" PRIu64 " requests, %" PRIu64 " bytes, %" PRIu64 " errors\n", b->requests, b->bytes, b->errors);
    }
}
