/* SPDX-License-Identifier: MIT */
/*
 * A modelled cable with an adapter at each end: -netdev wire,cable=NAME, given to two adapters of one machine, or of two machines that take turns
 * (-vm a.conf -vm b.conf). It is full duplex: each direction has the cable's speed for itself.
 */
#ifndef EMU_DEVICES_NET_WIRE_CABLE_H
#define EMU_DEVICES_NET_WIRE_CABLE_H

#include "base/error.h"
#include "devices/net/net.h"

enum { NET_CABLE_NAME = 32 };
struct net_cable;

/* Plug the wire in. The first end decides the speed, the second must have the same. NULL with *err. */
struct net_cable *net_cable_join(struct net_cable **all, const char *name, struct net_wire *w, u64 bits_per_second, u64 latency_ns, struct error *err);
/* With its last end the cable goes. */
void net_cable_leave(struct net_cable *c, const struct net_wire *w);

/* A frame of that wire's adapter has come all the way: it is at the other end at this moment. */
void net_cable_carry(struct net_cable *c, const struct net_wire *from, const u8 *frame, u32 len);
/* Would the other end take one? If not, net_cable_wake() of that end follows. */
bool net_cable_ready(struct net_cable *c, const struct net_wire *from);
/* The adapter of this wire has taken what waited for it: the other one may send again. */
void net_cable_wake(struct net_cable *c, const struct net_wire *at);

#endif
