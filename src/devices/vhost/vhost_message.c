/* SPDX-License-Identifier: MIT */
/* Messages over a stream that has no borders, with descriptors beside them (unix(7), SCM_RIGHTS): none is lost, none stays open. */
#include "devices/vhost/vhost_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
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

u64 vhost_host_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* Until when the socket is to wait; 0: for ever. */
static u64 end_of_patience(int socket)
{
    struct timeval t = { 0 };
    socklen_t len = sizeof t;
    getsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
    u64 patience = t.tv_sec * 1000ull + t.tv_usec / 1000;
    return patience ? vhost_host_ms() + patience : 0;
}

/* The rest of `size` bytes, of which `have` are there. A signal cuts a read short, also one that waits for all, and so does the end of the
 * socket's patience: which of them it was, the clock says. */
static const char *receive_rest(int socket, void *to, size_t have, size_t size)
{
    u64 end = end_of_patience(socket);
    while (have < size) {
        ssize_t n = recv(socket, (u8 *)to + have, size - have, MSG_WAITALL);
        have += n > 0 ? n : 0;
        if (n == 0 || (n < 0 && errno != EINTR))
            return have ? "its message is cut off" : no_bytes(n);
        if (have < size && end && vhost_host_ms() >= end)
            return "its message is cut off";
    }
    return NULL;
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
    if (n <= 0)
        return no_bytes(n);
    take_fds(m, &h);
    return receive_rest(socket, &m->request, n, VHOST_HEADER);
}

static const char *receive_payload(int socket, struct vhost_message *m)
{
    if ((m->flags & VHOST_VERSION_MASK) != VHOST_VERSION)
        return "it speaks another version";
    if (m->size > VHOST_PAYLOAD_MAX)
        return "its message is too long";
    return receive_rest(socket, &m->value, 0, m->size);
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
