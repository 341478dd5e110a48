/* SPDX-License-Identifier: MIT */
/* Inside src/machine: the user's -netdev become wires with a back-end each, and the network adapters are plugged into them. */
#ifndef EMU_MACHINE_NETWORK_H
#define EMU_MACHINE_NETWORK_H

#include <poll.h>

#include "devices/net/net_wire.h"
#include "machine/vm.h"

/* Make every wire of config.netdev[], open the captures, and tell the platform of the adapters; before the devices are made. 0 or
 * -1 with *err. */
int network_open(struct vm *vm, struct error *err);
void network_close(struct vm *vm);
/* The n-th capture, n below VM_MAX_CAPTURES: 0 if it is whole, or there is none; -1 with *err. */
int network_check_capture(struct vm *vm, unsigned n, struct error *err);
/* Plug an adapter into the -netdev of that id, which it reaches on that path: *wire. 0, or -1 with *err: there is none, or another adapter is there. */
int network_plug(struct vm *vm, struct net_wire **wire, const char *id, enum net_path path, struct error *err);

/* The wire of the n-th -netdev, for somebody who listens in; NULL: there is none. */
struct net_wire *network_wire(const struct vm *vm, unsigned n);

/* What has come from outside goes on the wires. */
void network_poll(struct vm *vm);
/* Descriptors that bring the guest frames; how many. */
unsigned network_fds(struct vm *vm, struct pollfd *fds, unsigned max);
/* Does the guest wait for somebody outside, who lives in the host's time? After network_fds(). */
bool network_waits(struct vm *vm);

#endif
