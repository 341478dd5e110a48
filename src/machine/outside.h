/* SPDX-License-Identifier: MIT */
/* Inside src/machine: who lives outside this process, in the host's time, and brings the guest something: networks, vhost back-ends, devices of this computer. */
#ifndef EMU_MACHINE_OUTSIDE_H
#define EMU_MACHINE_OUTSIDE_H

#include <poll.h>

#include "machine/vm.h"

/* The back-end of a disk, or of a network adapter, behind the socket that is called so: vm->platform's. NULL with *err. */
struct vhost *outside_open_disk(struct vm *vm, const char *chardev, struct error *err);
struct vhost *outside_open_adapter(struct vm *vm, const char *chardev, struct error *err);
/* The host's kernel serves an adapter in front of that interface of its. NULL with *err. */
struct vhost *outside_open_tap(const char *ifname, struct error *err);
void outside_close_disks(struct vm *vm);
void outside_close_adapters(struct vm *vm);

/* What has come from outside goes where it belongs. */
void outside_poll(struct vm *vm);
/* Descriptors that become readable when something has come; how many. */
unsigned outside_fds(struct vm *vm, struct pollfd *fds, unsigned max);
/* Does the guest wait for somebody out there? After outside_fds(). */
bool outside_waits(struct vm *vm);

#endif
