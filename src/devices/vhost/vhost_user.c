/* SPDX-License-Identifier: MIT */
/*
 * The front-end of vhost-user: another process serves the rings. It is told by messages what features are wanted, where memory and rings
 * are, and by which event descriptors it is called; then nothing goes over the socket any more.
 *
 * Each message waits for its answer at most patience_ms of the host's time, and is asked to have one where the protocol has a way
 * (REPLY_ACK); all of a conversation together at most VHOST_ANSWERS times as long. A wrong answer ends the connection: whoever errs
 * here would err with the guest's memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/vhost/vhost_peer.h"

enum { STATUS_READY = 0x0f };       /* virtio 1.2, 2.1: up to DRIVER_OK */

struct vhost_user {
    struct vhost_peer head;
    const char *path;
    u64 protocol;               /* features of the protocol, settled */
};

/* --- messages --- */

static struct vhost_message message(enum vhost_request r, u32 size)
{
    return (struct vhost_message){ .request = r, .flags = VHOST_VERSION, .size = size };
}

static struct vhost_message message_u64(enum vhost_request r, u64 value)
{
    struct vhost_message m = message(r, sizeof m.value);
    m.value = value;
    return m;
}

static struct vhost_message message_ring(enum vhost_request r, u32 index, u32 number)
{
    struct vhost_message m = message(r, sizeof m.ring);
    m.ring.index = index;
    m.ring.number = number;
    return m;
}

static struct vhost_message message_event(enum vhost_request r, unsigned n, int fd)
{
    struct vhost_message m = message_u64(r, n);
    m.fd[0] = fd;
    m.nfds = 1;
    return m;
}

/* An answer is to what was asked, has a length that it may have, and brings no descriptors. */
static const char *await(struct vhost_user *u, u32 request, u32 size, struct vhost_message *answer)
{
    u64 from = vhost_host_ms();
    const char *why = vhost_message_receive(u->head.fd, answer);
    u->head.waited_ms += vhost_host_ms() - from;
    if (why)
        return why;
    bool right = answer->request == request && answer->flags & VHOST_REPLY && answer->size == size && !answer->nfds;
    vhost_message_close_fds(answer);
    if (u->head.waited_ms > (u64)VHOST_ANSWERS * u->head.patience_ms)
        return "it takes too long for all its answers";
    return right ? NULL : "its answer is none to what was asked";
}

static const char *put(struct vhost_user *u, const struct vhost_message *m)
{
    return u->head.fd < 0 ? "it is not there" : vhost_message_send(u->head.fd, m) ? NULL : "it takes nothing";
}

static bool ask(struct vhost_user *u, const char *what, struct vhost_message *m)
{
    struct vhost_message answer;
    const char *why = put(u, m);
    why = why ? why : await(u, m->request, m->size, &answer);
    if (why)
        return vhost_peer_refuse(&u->head, what, why);
    *m = answer;
    return true;
}

static bool tell(struct vhost_user *u, const char *what, struct vhost_message m)
{
    struct vhost_message answer = { .value = 0 };
    bool answers = u->protocol & VHOST_PROTOCOL_REPLY_ACK;
    m.flags |= answers ? VHOST_NEED_REPLY : 0;
    const char *why = put(u, &m);
    if (!why && answers)
        why = await(u, m.request, sizeof answer.value, &answer);
    if (!why && answer.value)
        why = "it says no";
    return !why || vhost_peer_refuse(&u->head, what, why);
}

static bool get(struct vhost_user *u, const char *what, enum vhost_request r, u64 *value)
{
    struct vhost_message m = message(r, 0), answer;
    const char *why = put(u, &m);
    why = why ? why : await(u, r, sizeof answer.value, &answer);
    *value = why ? 0 : answer.value;
    return !why || vhost_peer_refuse(&u->head, what, why);
}

/* --- connecting --- */

static bool get_protocol_features(struct vhost_user *u)
{
    u64 can = 0, queues = 0, wanted = VHOST_PROTOCOL_MQ | VHOST_PROTOCOL_REPLY_ACK | VHOST_PROTOCOL_BACKEND_REQ | VHOST_PROTOCOL_CONFIG |
                                      VHOST_PROTOCOL_RESET_DEVICE | VHOST_PROTOCOL_STATUS;
    u->protocol = 0;
    if (!(u->head.features & VHOST_F_PROTOCOL_FEATURES))
        return true;
    if (!get(u, "GET_PROTOCOL_FEATURES", VHOST_USER_GET_PROTOCOL_FEATURES, &can) ||
        !tell(u, "SET_PROTOCOL_FEATURES", message_u64(VHOST_USER_SET_PROTOCOL_FEATURES, can & wanted)))
        return false;
    u->protocol = can & wanted;
    if (u->protocol & VHOST_PROTOCOL_MQ && !get(u, "GET_QUEUE_NUM", VHOST_USER_GET_QUEUE_NUM, &queues))
        return false;
    u->head.queues = queues > VHOST_INDEX_MASK ? VHOST_INDEX_MASK : queues;
    return true;
}

static int open_socket(const struct vhost_user *u)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    struct timeval patience = { u->head.patience_ms / 1000, u->head.patience_ms % 1000 * 1000 };
    if (strlen(u->path) >= sizeof at.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(at.sun_path, u->path);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -1;
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(s, (struct sockaddr *)&at, sizeof at) == 0)
        return s;
    int e = errno;
    close(s);
    errno = e;
    return -1;
}

static void user_disconnect(struct vhost_peer *p)
{
    if (p->channel >= 0)
        close(p->channel);
    p->channel = -1;
    p->config_changed = false;
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->connected = false;
}

static bool give_channel(struct vhost_user *u)
{
    int theirs;
    if (!(u->protocol & VHOST_PROTOCOL_BACKEND_REQ))
        return true;
    u->head.channel = vhost_channel_open(u->head.patience_ms, &theirs);
    if (u->head.channel < 0)
        return vhost_peer_refuse(&u->head, "channel", strerror(errno));
    struct vhost_message m = message_event(VHOST_USER_SET_BACKEND_REQ_FD, 0, theirs);
    m.size = 0;
    bool told = tell(u, "SET_BACKEND_REQ_FD", m);
    close(theirs);
    return told;
}

static bool user_connect(struct vhost_peer *p)
{
    struct vhost_user *u = (struct vhost_user *)p;
    user_disconnect(p);
    u->protocol = 0;
    p->queues = 0;
    p->fd = open_socket(u);
    if (p->fd < 0)
        return vhost_peer_refuse(p, u->path, strerror(errno));
    if (get(u, "GET_FEATURES", VHOST_USER_GET_FEATURES, &p->features) && get_protocol_features(u) &&
        tell(u, "SET_OWNER", message(VHOST_USER_SET_OWNER, 0)) && give_channel(u))
        p->connected = true;
    else
        user_disconnect(p);
    return p->connected;
}

/* --- memory and rings --- */

static bool user_set_features(struct vhost_peer *p, u64 features)
{
    return tell((struct vhost_user *)p, "SET_FEATURES", message_u64(VHOST_USER_SET_FEATURES, features | (p->features & VHOST_F_PROTOCOL_FEATURES)));
}

static bool user_set_memory(struct vhost_peer *p, const struct vhost_shared *memory, unsigned n)
{
    struct vhost_message m = message(VHOST_USER_SET_MEM_TABLE, offsetof(struct vhost_message, memory.region) - offsetof(struct vhost_message, memory) +
                                                              n * sizeof(struct vhost_region));
    m.memory.count = m.nfds = n;
    for (unsigned i = 0; i < n; i++) {
        m.memory.region[i] = memory[i].region;
        m.fd[i] = memory[i].fd;
    }
    return tell((struct vhost_user *)p, "SET_MEM_TABLE", m);
}

static struct vhost_message message_place(unsigned n, const struct vhost_place *at)
{
    struct vhost_message m = message(VHOST_USER_SET_VRING_ADDR, sizeof m.place);
    m.place.index = n;
    m.place.desc = at->desc;
    m.place.used = at->used;
    m.place.avail = at->avail;
    return m;
}

static bool user_start_ring(struct vhost_peer *p, unsigned n, const struct vhost_place *at)
{
    struct vhost_user *u = (struct vhost_user *)p;
    return tell(u, "SET_VRING_NUM", message_ring(VHOST_USER_SET_VRING_NUM, n, at->size)) &&
           tell(u, "SET_VRING_BASE", message_ring(VHOST_USER_SET_VRING_BASE, n, 0)) && tell(u, "SET_VRING_ADDR", message_place(n, at)) &&
           tell(u, "SET_VRING_CALL", message_event(VHOST_USER_SET_VRING_CALL, n, at->call)) &&
           tell(u, "SET_VRING_KICK", message_event(VHOST_USER_SET_VRING_KICK, n, at->kick));
}

/* Where the protocol has no features, a ring that has its kick is enabled. */
static bool user_enable_ring(struct vhost_peer *p, unsigned n, bool on)
{
    return !(p->features & VHOST_F_PROTOCOL_FEATURES) ||
           tell((struct vhost_user *)p, "SET_VRING_ENABLE", message_ring(VHOST_USER_SET_VRING_ENABLE, n, on));
}

static bool user_ready(struct vhost_peer *p)
{
    struct vhost_user *u = (struct vhost_user *)p;
    return !(u->protocol & VHOST_PROTOCOL_STATUS) || tell(u, "SET_STATUS", message_u64(VHOST_USER_SET_STATUS, STATUS_READY));
}

static bool user_reset(struct vhost_peer *p)
{
    struct vhost_user *u = (struct vhost_user *)p;
    if (u->protocol & VHOST_PROTOCOL_STATUS)
        return tell(u, "SET_STATUS", message_u64(VHOST_USER_SET_STATUS, 0));
    return !(u->protocol & VHOST_PROTOCOL_RESET_DEVICE) || tell(u, "RESET_DEVICE", message(VHOST_USER_RESET_DEVICE, 0));
}

static bool user_stop_ring(struct vhost_peer *p, unsigned n)
{
    struct vhost_message m = message_ring(VHOST_USER_GET_VRING_BASE, n, 0);
    return ask((struct vhost_user *)p, "GET_VRING_BASE", &m);
}

static bool user_attend(struct vhost_peer *p)
{
    const char *why = vhost_channel_attend(p);
    return !why || vhost_peer_refuse(p, "channel", why);
}

/* Nothing comes over this socket on its own: for that there is the channel. */
static bool user_alive(struct vhost_peer *p)
{
    u8 byte;
    ssize_t n = recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    return vhost_peer_refuse(p, "connection", n > 0 ? "it says what nobody asked for" : "it has closed the connection");
}

static bool user_config(struct vhost_peer *p, void *to, u32 len)
{
    struct vhost_user *u = (struct vhost_user *)p;
    struct vhost_message m = message(VHOST_USER_GET_CONFIG, VHOST_CONFIG_HEADER + len);
    m.config.size = len;
    if (len > VHOST_CONFIG_MAX || !(u->protocol & VHOST_PROTOCOL_CONFIG))
        return vhost_peer_refuse(p, "GET_CONFIG", "it has no configuration");
    if (!ask(u, "GET_CONFIG", &m))
        return false;
    memcpy(to, m.config.bytes, len);
    return true;
}

static void user_close(struct vhost_peer *p)
{
    user_disconnect(p);
    free(p);
}

static const struct vhost_peer_ops user_ops = {
    .name = "vhost-user", .connect = user_connect, .disconnect = user_disconnect, .set_features = user_set_features, .set_memory = user_set_memory,
    .start_ring = user_start_ring, .enable_ring = user_enable_ring, .ready = user_ready, .reset = user_reset, .stop_ring = user_stop_ring,
    .alive = user_alive, .attend = user_attend, .config = user_config, .close = user_close,
};

struct vhost_peer *vhost_user_new(const char *path)
{
    struct vhost_user *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->head = (struct vhost_peer){ .ops = &user_ops, .fd = -1, .channel = -1 };
    u->path = path;
    return &u->head;
}
