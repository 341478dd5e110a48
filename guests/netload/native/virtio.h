/* SPDX-License-Identifier: MIT */
/*
 * A virtio device behind PCI by the modern interface (virtio 1.2, 4.1), with split rings whose chains are the caller's business. Both
 * sides say by event indices when they want to be told (2.7.7, 2.7.10).
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "pci/pci.h"

enum { VRING_MAX = 1024, VIRTIO_NEXT = 1, VIRTIO_WRITE = 2 };

struct vring_descriptor { u64 buffer; u32 len; u16 flags, next; };
struct vring {
    struct vring_descriptor volatile descriptor[VRING_MAX] __attribute__((aligned(4096)));
    struct { u16 flags, index, ring[VRING_MAX + 1]; } volatile available __attribute__((aligned(4096)));
    struct { u16 flags, index; struct { u32 id, len; } ring[VRING_MAX]; u16 event; } volatile used __attribute__((aligned(4096)));
    u16 volatile *bell;
    u32 index, size;        /* of the queue; entries, as the device takes them */
    u16 made, told;         /* chains made available; when last the device was, or need not be, told */
};

/* Find a transitional or modern device, take those of `features` that are offered beside VERSION_1 and EVENT_IDX, and give it its
 * queues, each with MSI-X vector 0. False: there is none, or it lacks what is needed. */
_Bool virtio_start(u16 transitional, u16 modern, u32 features, struct vring *rings, u32 nrings);
/* Chain `head` is the device's; then, once for many, ring if the device wants to know. */
void vring_offer(struct vring *r, u16 head);
void vring_kick(struct vring *r);
/* An interrupt when the used index passes that of `count` chains given back. */
void vring_want(struct vring *r, u16 count);

#endif
