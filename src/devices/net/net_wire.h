/* SPDX-License-Identifier: MIT */
/* -netdev wire: Ethernet of a given speed in virtual time, for measuring; what the machine and the benchmark want of it. */
#ifndef EMU_DEVICES_NET_WIRE_H
#define EMU_DEVICES_NET_WIRE_H

#include "devices/net/net_backend.h"
#include "devices/net/net_carrier.h"

extern const struct net_backend_ops net_wire_ops;

/* An adapter is plugged in that reaches the wire on that path; with vhost=on, a virtio adapter's rings are served by the host's
 * kernel (and with zerocopy=on its long frames are not copied on their way out). True: they are. Nothing happens with other back-ends. */
bool net_wire_serve(struct net_backend *b, enum net_path path);

/* What came to the far end: frames, their bytes without checksum, and when the first and the last were there. */
struct net_wire_counts { u64 frames, bytes; cycles_t first, last; };
/* False: it is another kind of back-end. */
bool net_wire_counts(const struct net_backend *b, struct net_wire_counts *c);

#endif
