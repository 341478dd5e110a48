/* SPDX-License-Identifier: MIT */
#include "devices/vhost/vhost_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>


union control { struct cmsghdr header; u8 room[CMSG_SPACE(VHOST_FDS_MAX * sizeof(int))]; };

bool vhost_message_send(int socket, const struct vhost_message *m)
{
    union control control;
    struct iovec v[2] = { { (void *)&m->request, VHOST_HEADER }, { (void *)&m->value, m->size } };
    struct msghdr h = { .msg_iov = v, .msg_iovlen = 2 };
    if (m->nfds) {
        memset(&control, 0, sizeof control);
        control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(m->nfds * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), m->fd, m->nfds * sizeof(int));
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(m->nfds * sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(socket, &h, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)(VHOST_HEADER + m->size);
}

/* --- receiving --- */

static void take_fds(struct vhost_message *m, struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        unsigned count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(m->fd + m->nfds, CMSG_DATA(c), count * sizeof(int));     /* the room for control data is that of VHOST_FDS_MAX */
        m->nfds += count;
    }
}

static const char *no_bytes(ssize_t n)
{
    return n == 0 ? "it has closed the connection" : errno == EAGAIN || errno == EWOULDBLOCK ? "it says nothing" : strerror(errno);
}

/* Descriptors come with the first byte. */
static const char *receive_header(int socket, struct vhost_message *m)
{
    union control control;
    struct iovec v = { &m->request, VHOST_HEADER };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room };
    ssize_t n;
    do
        n = recvmsg(socket, &h, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        take_fds(m, &h);
    if (n <= 0)
        return no_bytes(n);
    return n == VHOST_HEADER ? NULL : "its message is cut off";
}

static const char *receive_payload(int socket, struct vhost_message *m)
{
    if ((m->flags & VHOST_VERSION_MASK) != VHOST_VERSION)
        return "it speaks another version";
    if (m->size > VHOST_PAYLOAD_MAX)
        return "its message is too long";
    ssize_t n = m->size ? recv(socket, &m->value, m->size, MSG_WAITALL) : 0;
    if (m->size && n <= 0)
        return no_bytes(n);
    return n == (ssize_t)m->size ? NULL : "its message is cut off";
}

void vhost_message_close_fds(struct vhost_message *m)
{
    while (m->nfds)
        close(m->fd[--m->nfds]);
}

const char *vhost_message_receive(int socket, struct vhost_message *m)
{
    memset(m, 0, sizeof *m);
    const char *why = receive_header(socket, m);
    why = why ? why : receive_payload(socket, m);
    if (why)
        vhost_message_close_fds(m);
    return why;
}
