/* SPDX-License-Identifier: MIT */
/*
 * A virtio device behind PCI, modern interface (virtio 1.2, 4.1), and the face of a split ring (2.7). The rings are your memory: this only tells the
 * device where they are. EVENT_IDX has been negotiated, so flags are not looked at, events are (2.7.7, 2.7.10).
 */
#ifndef LAB7_VIRTIO_H
#define LAB7_VIRTIO_H

#include "pci.h"

enum { VRING_SIZE = 1024 };
enum { VRING_NEXT = 1, VRING_WRITE = 2 };       /* a descriptor's flags */
enum { VIRTIO_NET_TX = 1, VIRTIO_NET_HEADER = 12 };

struct vring_descriptor { u64 address; u32 len; u16 flags, next; };
struct vring_available { u16 flags, index, ring[VRING_SIZE], used_event; };
struct vring_used { u16 flags, index; struct { u32 id, len; } ring[VRING_SIZE]; u16 avail_event; };

struct vring {
    struct vring_descriptor volatile descriptor[VRING_SIZE] __attribute__((aligned(4096)));
    struct vring_available volatile available __attribute__((aligned(4096)));
    struct vring_used volatile used __attribute__((aligned(4096)));
};

/* Find virtio-net and make `ring`, all zeros, its transmit queue; MSI-X interrupts this processor. The doorbell: write queue number
 * VIRTIO_NET_TX there. NULL: there is no such adapter. */
u16 volatile *virtio_net_start(struct vring *ring);

/* What was written before is seen before what is read after. */
static inline void full_barrier(void) { __asm__ volatile("lock; orl $0, (%%esp)" : : : "memory"); }
/* What was written before is seen before what is written after: x86 keeps the order, the compiler must be told. */
static inline void write_barrier(void) { __asm__ volatile("" : : : "memory"); }

#endif
