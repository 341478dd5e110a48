/* SPDX-License-Identifier: MIT */
/*
 * Messages of the vhost-user protocol (QEMU's documentation, docs/interop/vhost-user.rst): a header and a payload over a UNIX socket,
 * numbers as the host has them, descriptors beside them. The same for both ends; who reads checks.
 */
#ifndef EMU_DEVICES_VHOST_MESSAGE_H
#define EMU_DEVICES_VHOST_MESSAGE_H

#include "base/types.h"

enum vhost_request {
    VHOST_USER_GET_FEATURES = 1, VHOST_USER_SET_FEATURES = 2, VHOST_USER_SET_OWNER = 3, VHOST_USER_SET_MEM_TABLE = 5,
    VHOST_USER_SET_VRING_NUM = 8, VHOST_USER_SET_VRING_ADDR = 9, VHOST_USER_SET_VRING_BASE = 10, VHOST_USER_GET_VRING_BASE = 11,
    VHOST_USER_SET_VRING_KICK = 12, VHOST_USER_SET_VRING_CALL = 13, VHOST_USER_GET_PROTOCOL_FEATURES = 15,
    VHOST_USER_SET_PROTOCOL_FEATURES = 16, VHOST_USER_GET_QUEUE_NUM = 17, VHOST_USER_SET_VRING_ENABLE = 18, VHOST_USER_SET_BACKEND_REQ_FD = 21, VHOST_USER_GET_CONFIG = 24,
    VHOST_USER_RESET_DEVICE = 34, VHOST_USER_SET_STATUS = 39,
};
enum vhost_backend_request { VHOST_BACKEND_CONFIG_CHANGE = 2 };     /* the other way, on a channel of the back-end's */
enum { VHOST_VERSION = 1, VHOST_VERSION_MASK = 3, VHOST_REPLY = 4, VHOST_NEED_REPLY = 8 };     /* of the header's flags */
enum { VHOST_NO_FD = 1 << 8, VHOST_INDEX_MASK = 0xff };                                         /* of a ring's kick and call */

#define VHOST_F_PROTOCOL_FEATURES BIT(30)   /* a virtio feature: the protocol has features of its own */
#define VHOST_PROTOCOL_MQ BIT(0)            /* GET_QUEUE_NUM says how many queues there may be */
#define VHOST_PROTOCOL_REPLY_ACK BIT(3)     /* what has no answer gets one when NEED_REPLY asks for it */
#define VHOST_PROTOCOL_BACKEND_REQ BIT(5)   /* the back-end may have a channel of its own, on which it begins */
#define VHOST_PROTOCOL_RESET_DEVICE BIT(13) /* it hears of a reset */
#define VHOST_PROTOCOL_STATUS BIT(16)       /* it hears of the device's status */
#define VHOST_PROTOCOL_CONFIG BIT(9)        /* the back-end has the device's configuration */

enum { VHOST_FDS_MAX = 8, VHOST_REGIONS_MAX = 8, VHOST_CONFIG_MAX = 256 };

/* A piece of memory that both ends see; gpa is what stands in descriptors, user what the front-end calls the same place. */
struct vhost_region { u64 gpa, size, user, fd_offset; };

struct vhost_message {
    u32 request, flags, size;       /* size: bytes of the payload */
    union {
        u64 value;
        struct { u32 index, number; } ring;
        struct { u32 index, flags; u64 desc, used, avail, log; } place;
        struct { u32 count, unused; struct vhost_region region[VHOST_REGIONS_MAX]; } memory;
        struct { u32 offset, size, flags; u8 bytes[VHOST_CONFIG_MAX]; } config;
    };
    int fd[VHOST_FDS_MAX]; unsigned nfds;
};
enum { VHOST_HEADER = 12, VHOST_PAYLOAD_MAX = offsetof(struct vhost_message, fd) - offsetof(struct vhost_message, value), VHOST_CONFIG_HEADER = 12 };

/* The message, with its descriptors, which stay the caller's. False: the other end is gone, or takes nothing for as long as the socket waits. */
bool vhost_message_send(int socket, const struct vhost_message *m);
/* One whole message, whose descriptors are the caller's then. NULL, or why there is none: *m has no descriptors. */
const char *vhost_message_receive(int socket, struct vhost_message *m);
void vhost_message_close_fds(struct vhost_message *m);

/* The host's time, by which a back-end's patience is measured. */
u64 vhost_host_ms(void);

#endif
