/* SPDX-License-Identifier: MIT */
/* The Internet checksum (RFC 1071), as network adapters compute it for their drivers. */
#ifndef EMU_DEVICES_NET_CHECKSUM_H
#define EMU_DEVICES_NET_CHECKSUM_H

#include "base/types.h"

static inline u16 net_get16(const u8 *p) { return p[0] << 8 | p[1]; }
static inline u32 net_get32(const u8 *p) { return (u32)net_get16(p) << 16 | net_get16(p + 2); }
static inline void net_put16(u8 *p, u16 v) { p[0] = v >> 8; p[1] = v; }
static inline void net_put32(u8 *p, u32 v) { net_put16(p, v >> 16); net_put16(p + 2, v); }

/* The ones' complement sum of 16-bit words in network order; an odd last byte counts as a high one. Not complemented. */
u16 net_sum(const u8 *data, u32 len);
/* Two such sums as one. */
static inline u16 net_sum_add(u16 a, u16 b)
{
    u32 s = (u32)a + b;
    return s + (s >> 16);
}

/* What of an Ethernet frame is IPv4, and what TCP or UDP in it; offsets from the frame's start. */
struct net_ip { bool ip_ok, has_l4, l4_ok; };

/* Look at an untagged or tagged Ethernet frame. False: it holds no whole IPv4 header. has_l4: TCP, or UDP with a checksum, not a fragment. */
bool net_check_ip(const u8 *frame, u32 len, struct net_ip *found);

#endif
