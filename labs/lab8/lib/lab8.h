/* SPDX-License-Identifier: MIT */
/*
 * Lab 8: what your code is written against. You are a thread of the host's kernel, which serves one queue of a guest's network adapter. A
 * virtual processor runs the guest beside you; it can change its memory whenever you are not looking.
 */
#ifndef LAB8_H
#define LAB8_H

#include "kernel.h"

/* --- what is there --------------------------------------------------------------------------------- */

/* The guest's memory by guest-physical address. False: not all of it is memory, and nothing was copied. */
_Bool guest_read(u64 gpa, void *to, u32 len);
_Bool guest_write(u64 gpa, const void *from, u32 len);

/* An eventfd: its descriptor. Signal it; or sleep until somebody has, however often. False: the machine is over. */
int eventfd(void);
void eventfd_signal(int fd);
_Bool eventfd_wait(int fd);

/* KVM_IOEVENTFD: a store of so many bytes (0: any) at that address signals fd and does not leave the kernel; with `match`, only a store of that value. */
struct ioeventfd { u64 address; u32 len; _Bool match; u32 value; };
void kvm_ioeventfd(int fd, const struct ioeventfd *e);
/* KVM_IRQFD: to signal fd is to interrupt the guest, by that line of its interrupt controller. */
void kvm_irqfd(int fd, u32 gsi);

/* Out into the world. */
enum { FRAME_MIN = 14, FRAME_MAX = 1514, HEADER = 12 /* bytes of virtio-net in front of each frame; nothing in it concerns you */ };
void wire_send(const void *frame, u32 len);

/* The ring makes no sense, and is not served any more. */
enum broken { BROKEN_INDEX = 1 /* more chains than entries */, BROKEN_HEAD /* not below the size */, BROKEN_NEXT /* the same */,
              BROKEN_LOOP /* a chain of more descriptors than the ring has */ };
void ring_broken(enum broken why);

/* --- the ring (virtio 1.2, 2.7; EVENT_IDX has been negotiated) -------------------------------------- */

struct descriptor { u64 address; u32 len; u16 flags, next; };
enum { F_NEXT = 1, F_WRITE = 2 };
struct used_element { u32 id, len; };
/* available: u16 flags, index, ring[size], used_event. used: u16 flags, index; struct used_element ring[size]; u16 avail_event. */

struct setup {
    u64 descriptors, available, used;   /* gpa */
    u64 doorbell;                       /* gpa of the register: the guest writes a queue's number, 2 bytes */
    u32 size;                           /* of the ring, a power of two */
    u32 queue, gsi, unused;             /* this one's number; its interrupt */
};

/* --- what you write: lab8.c ------------------------------------------------------------------------ */

/* The ring is at its beginning. No doorbell of this queue may reach user space from then on, and none of another's may be kept from it. */
void vhost_start(const struct setup *s);

/*
 * Serve the ring until the machine is over, or the ring is broken. Each chain, in the order of the available ring: its frame goes to the wire, and
 * the chain is given back, with 0 bytes written. One that has a piece which is not memory, or which is to be written, or whose frame is shorter than
 * FRAME_MIN or longer than FRAME_MAX, is given back and not sent.
 */
void vhost_worker(void);

#endif
