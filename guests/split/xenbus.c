/* SPDX-License-Identifier: MIT */
/* The handshake: each end shows its state in the store. What the other end must find is written in one transaction. */
#include "split.h"

_Bool front_find(struct front *f, const char *dir)
{
    char path[128];
    f->dir = dir;
    if (!store_read(store_join(path, dir, "backend"), f->back, sizeof f->back))
        return 0;
    f->domid = store_read_number(store_join(path, dir, "backend-id"));
    return 1;
}

/* Domain 0 answers before our hypercall is over, so this seldom waits. */
static void wait_for(const struct front *f, u32 state)
{
    char path[128];
    while (store_read_number(store_join(path, f->back, "state")) != state)
        hypercall2(__HYPERVISOR_sched_op, SCHEDOP_yield, 0);
}

static void state_write(u32 tx, const struct front *f, u32 state)
{
    char path[128];
    store_write_number(tx, store_join(path, f->dir, "state"), state);
}

void front_connect(struct front *f, const struct front_node *nodes, u32 state)
{
    char path[128];
    u32 tx;
    f->port = event_new(f->domid);
    wait_for(f, XenbusStateInitWait);
    do {
        tx = store_begin();
        for (const struct front_node *n = nodes; n->name; n++)
            store_write_number(tx, store_join(path, f->dir, n->name), n->value);
        store_write_number(tx, store_join(path, f->dir, "event-channel"), f->port);
        state_write(tx, f, state);
    } while (!store_commit(tx));
    wait_for(f, XenbusStateConnected);
    state_write(0, f, XenbusStateConnected);
}

void front_close(struct front *f)
{
    state_write(0, f, XenbusStateClosing);
    wait_for(f, XenbusStateClosing);
    state_write(0, f, XenbusStateClosed);
    wait_for(f, XenbusStateClosed);
}
