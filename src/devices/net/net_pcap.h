/* SPDX-License-Identifier: MIT */
/* A capture file of what goes over a wire, as tcpdump and Wireshark read it (IETF draft-ietf-opsawg-pcap). */
#ifndef EMU_DEVICES_NET_PCAP_H
#define EMU_DEVICES_NET_PCAP_H

#include "base/error.h"
#include "devices/net/net.h"

struct net_pcap;

/* Create or empty the file, whose name is borrowed, and listen to the wire. Times are the guest's: epoch_s, seconds since 1970, is when the clock stood at
 * zero. snaplen: bytes of each frame that are kept; 0: all. NULL with *err. */
struct net_pcap *net_pcap_open(struct net_wire *w, const char *path, s64 epoch_s, u32 snaplen, struct error *err);
/* Write out what there is. 0, or -1 with *err: some of it could not be written. */
int net_pcap_check(struct net_pcap *p, struct error *err);
/* Write out what is left and free. The wire must not be used any more. NULL is allowed. */
void net_pcap_close(struct net_pcap *p);

#endif
