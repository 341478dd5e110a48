/* SPDX-License-Identifier: MIT */
/* What back-ends share that reach the host by one descriptor: when its readers wait, and that it never waits itself. */
#ifndef EMU_DEVICES_NET_OUTSIDE_H
#define EMU_DEVICES_NET_OUTSIDE_H

#include "devices/net/net_backend.h"

#define NET_OUTSIDE_PATIENCE_S 5    /* virtual seconds for which the answer to a frame is waited for */

/* Somebody out there who lives in the host's time may answer soon. */
struct net_outside { bool spoken; cycles_t last; };
static inline void net_outside_heard(struct net_outside *o, const struct clock *c) { *o = (struct net_outside){ true, c->now }; }
static inline bool net_outside_waits(const struct net_outside *o, const struct clock *c)
{
    return o->spoken && c->now - o->last < NET_OUTSIDE_PATIENCE_S * c->hz;
}

/* A network interface of the host's, as Ethernet frames: of this name ("": the host chooses), which must exist or can be made. vnet:
 * with a virtio header in front of each frame, for vhost-net. The descriptor, which does not wait, or -1 with *err. */
int net_tap_open(const char *name, bool vnet, struct error *err);

#endif
