/* SPDX-License-Identifier: MIT */
/*
 * The channel on which a vhost-user back-end begins, and we answer: a socket of its own, so that both conversations do not get mixed up. Of
 * what may be said there one thing concerns us: the device's configuration has changed (a disk has grown).
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "devices/vhost/vhost_peer.h"

int vhost_channel_open(unsigned patience_ms, int *theirs)
{
    struct timeval patience = { patience_ms / 1000, patience_ms % 1000 * 1000 };
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return -1;
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    *theirs = ends[1];
    return ends[0];
}

/* Is a message there? Who has closed the channel has nothing more to say, and that is no mistake. */
static bool is_heard(struct vhost_peer *p)
{
    u8 byte;
    ssize_t n = recv(p->channel, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        close(p->channel);
        p->channel = -1;
    }
    return n > 0;
}

static const char *answer(struct vhost_peer *p, struct vhost_message *m)
{
    if (!(m->flags & VHOST_NEED_REPLY))
        return NULL;
    m->flags = VHOST_VERSION | VHOST_REPLY;
    m->size = sizeof m->value;
    m->value = 0;
    return vhost_message_send(p->channel, m) ? NULL : "it takes no answer";
}

const char *vhost_channel_attend(struct vhost_peer *p)
{
    struct vhost_message m;
    u64 from = vhost_host_ms();
    if (p->channel < 0 || !is_heard(p))
        return NULL;
    const char *why = vhost_message_receive(p->channel, &m);
    p->waited_ms += vhost_host_ms() - from;
    if (why)
        return why;
    bool known = m.request == VHOST_BACKEND_CONFIG_CHANGE && !m.nfds;
    vhost_message_close_fds(&m);
    p->config_changed |= known;
    return known ? answer(p, &m) : "it asks for what we do not have";
}
