/* SPDX-License-Identifier: MIT */
/*
 * What the modelled host does to bring a frame from an adapter to the wire and back: a row of steps for each path, and the thread
 * that takes them. Neither the adapter nor the wire knows; both only see that it takes time.
 */
#ifndef EMU_DEVICES_NET_CARRIER_H
#define EMU_DEVICES_NET_CARRIER_H

#include "base/worker.h"

enum net_path {
    NET_PATH_DIRECT,    /* the adapter itself is on the wire: the bare machine's, or one that is assigned to the guest */
    NET_PATH_EMULATED,  /* registers in user space: sent in the middle of the exit, received by the I/O thread */
    NET_PATH_VIRTIO,    /* rings served by the I/O thread in user space */
    NET_PATH_VHOST,     /* the same rings, served by a thread of the host's kernel */
    NET_PATH_VHOST_ZEROCOPY,    /* the same thread, which lets the adapter read long frames where they are, in the guest's memory */
    NET_PATH_PV,        /* domain 0 on the same processor; what crosses the domains is charged by its back-end */
    NET_PATHS
};

struct net_carrier {
    enum net_path path;
    struct worker self, thread;     /* the processor that made the exit; the thread beside it */
    struct worker *out, *in;
};

/* ledger: the machine's, for which the host works. */
void net_carrier_init(struct net_carrier *c, enum net_path path, struct ledger *ledger);
/* A frame of `len` bytes that was there at `since` is carried: the cycle at which it is on the other side. */
cycles_t net_carry_out(struct net_carrier *c, u32 len, cycles_t since);
cycles_t net_carry_in(struct net_carrier *c, u32 len, cycles_t since);

#endif
