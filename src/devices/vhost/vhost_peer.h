/* SPDX-License-Identifier: MIT */
/* Who serves rings in a device's place, and how he is told about them: a process (vhost_user.c), or the host's kernel (vhost_kernel.c). */
#ifndef EMU_DEVICES_VHOST_PEER_H
#define EMU_DEVICES_VHOST_PEER_H

#include "base/error.h"
#include "devices/vhost/vhost_message.h"

struct vhost_peer;
enum { VHOST_ANSWERS = 4 };

/* Where a ring is, by the front-end's addresses, and the event descriptors that take the place of doorbell and interrupt. */
struct vhost_place { u16 size; u64 desc, avail, used; int kick, call; };
struct vhost_shared { struct vhost_region region; int fd; };

/* What returns bool: false, and peer->trouble says why. */
struct vhost_peer_ops {
    const char *name;
    bool (*connect)(struct vhost_peer *p);              /* the first time, and again after a disconnect */
    void (*disconnect)(struct vhost_peer *p);
    bool (*set_features)(struct vhost_peer *p, u64 features);
    bool (*set_memory)(struct vhost_peer *p, const struct vhost_shared *m, unsigned n);
    bool (*start_ring)(struct vhost_peer *p, unsigned n, const struct vhost_place *at);
    /* It serves the ring, or leaves it alone for a while: a network's, of which the driver does not use all. NULL: a started ring is served. */
    bool (*enable_ring)(struct vhost_peer *p, unsigned n, bool on);
    bool (*ready)(struct vhost_peer *p);                /* all that the driver has so far is there; may be NULL */
    bool (*reset)(struct vhost_peer *p);                /* the driver has reset its device, and the rings are stopped; may be NULL */
    bool (*stop_ring)(struct vhost_peer *p, unsigned n);    /* it does not touch memory any more */
    bool (*alive)(struct vhost_peer *p);                /* has it gone, or said what nobody asked for? Does not wait */
    /* What it says on a channel of its own: sets config_changed, and is false if that is nonsense. At most one message. NULL: it has none. */
    bool (*attend)(struct vhost_peer *p);
    bool (*config)(struct vhost_peer *p, void *to, u32 len);    /* of the device; NULL: it has none */
    void (*close)(struct vhost_peer *p);                /* frees it */
};

struct vhost_peer {
    const struct vhost_peer_ops *ops;
    u64 features;               /* of the device and its rings, that it has */
    unsigned queues;            /* that it serves at most; of a network, pairs of them */
    bool connected;
    int fd;                     /* becomes readable when it is gone; -1: not connected, or never goes */
    int channel;                /* on which it begins; -1: it has none */
    bool config_changed;        /* it has said so, and nobody has looked since */
    unsigned patience_ms;       /* for an answer; VHOST_ANSWERS times that for all that one conversation waits, */
    u64 waited_ms;              /* which is so much: who begins one sets it to 0 */
    char trouble[160];
};

/* The system calls by which the kernel is told; another table in tests. As the calls of the same name. */
struct vhost_kernel_calls {
    int (*open)(const char *path);
    int (*ioctl)(int fd, unsigned long request, void *argument);
    void (*close)(int fd);
};
extern const struct vhost_kernel_calls vhost_kernel_host;

/* Note why, and return false. */
bool vhost_peer_refuse(struct vhost_peer *p, const char *what, const char *why);

/* The host's kernel, in front of an interface of its (`tap`, taken over; net_tap_open() with vnet). NULL: no memory. */
struct vhost_peer *vhost_kernel_new(const struct vhost_kernel_calls *calls, int tap);

/* Such a channel: our end, and the back-end's in *theirs. -1: the host gives none. */
int vhost_channel_open(unsigned patience_ms, int *theirs);
/* One message of it, answered. NULL, or what is wrong with it. */
const char *vhost_channel_attend(struct vhost_peer *p);

/* Behind the UNIX socket `path`, which is borrowed. Not connected yet. NULL: no memory. */
struct vhost_peer *vhost_user_new(const char *path);

#endif
