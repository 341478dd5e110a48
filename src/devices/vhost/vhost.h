/* SPDX-License-Identifier: MIT */
/*
 * vhost: somebody else serves a virtio device's rings, another process (vhost-user) or the host's kernel (vhost-net). The device in
 * front of it is the one that it always was, or, for a disk, none but a configuration (vhost_blk.c).
 *
 * He lives in the host's time: a run with such a back-end cannot be repeated cycle by cycle. While a request is under way virtual time does
 * not jump over it (vhost_waits()).
 *
 * If he dies, he is looked for again, and gets what was under way. If he is not there again in time, does not answer in time, or gives
 * back what he never got, he is given up: the requests fail, the device needs a reset, the machine goes on.
 */
#ifndef EMU_DEVICES_VHOST_H
#define EMU_DEVICES_VHOST_H

#include <poll.h>

#include "devices/vhost/vhost_peer.h"
#include "devices/virtio/virtio.h"

enum { VHOST_PATIENCE_MS = 5000, VHOST_WORK_PATIENCE_MS = 30000 };

struct vhost;

/* In milliseconds of the host's time; 0: what stands above. answer: to a message; work: without any progress, or without a back-end. */
struct vhost_patience { unsigned answer_ms, work_ms; };

/* Takes *p over (NULL: no memory for it), also when it fails, and connects. NULL with *err. */
struct vhost *vhost_new(struct vhost_peer *p, const char *name, struct vhost_patience patience, struct error *err);
void vhost_free(struct vhost *h);       /* after the device is gone; NULL is allowed */

u64 vhost_features(const struct vhost *h);
unsigned vhost_queues(const struct vhost *h);       /* that it says it serves; 0: it does not say */
bool vhost_config(struct vhost *h, void *to, u32 len);
const char *vhost_trouble(const struct vhost *h);

/* From now on it serves queues 0 to queues - 1 of the device, whose features among `mask` are those that it has. `answers`: queues, by
 * bits, in which each chain is a request, so that silence means that something is wrong. */
void vhost_serve(struct vhost *h, struct virtio *v, const struct platform *to, unsigned queues, u32 answers, u64 mask);
void vhost_info(const struct vhost *h, FILE *out);
/* Bytes that it has given to the guest, and taken from it; headers are among them. */
void vhost_moved(const struct vhost *h, u64 *to_guest, u64 *from_guest);

/* The run loop's, as those of a network's back-end (net_backend.h). */
void vhost_poll(struct vhost *h);
unsigned vhost_fds(struct vhost *h, struct pollfd *fds, unsigned max);
bool vhost_waits(const struct vhost *h);

/* A disk that a vhost-user back-end has: configuration and features are its. */
struct virtio *vhost_blk_new(const struct platform *to, const struct virtio_slot *s);

#endif
