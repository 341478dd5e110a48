/* SPDX-License-Identifier: MIT */
/* Another emulator at the wire's far end, by datagrams: each is a frame, and one that finds nobody is lost. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/net/net_outside.h"
#include "devices/net/net_socket.h"

enum { BURST = 64 };

/* Where we are, and where frames go. */
struct dgram_end { const char *type, *path, *host, *port; };

struct net_dgram {
    struct net_backend head;
    struct dgram_end local, remote;     /* borrowed while it is opened */
    struct socket_place here, there;
    int fd;
    struct net_outside outside;
    u8 frame[NET_FRAME_MAX];
};

static void from_guest(void *opaque, const u8 *frame, u32 len)
{
    struct net_dgram *d = opaque;
    if (sendto(d->fd, frame, len, MSG_NOSIGNAL, (const struct sockaddr *)&d->there.address, d->there.len) == (ssize_t)len)
        net_outside_heard(&d->outside, d->head.wire->clock);
}

static void dgram_poll(struct net_backend *b)
{
    struct net_dgram *d = (struct net_dgram *)b;
    for (unsigned i = 0; i < BURST && net_room(b->wire, NET_BACKEND); i++) {
        ssize_t n = recv(d->fd, d->frame, sizeof d->frame, 0);
        if (n < 0)
            return;
        net_outside_heard(&d->outside, b->wire->clock);
        net_send(b->wire, NET_BACKEND, d->frame, n);
    }
}

static unsigned dgram_fds(struct net_backend *b, struct pollfd *fds, unsigned max)
{
    if (!max || !net_room(b->wire, NET_BACKEND))
        return 0;
    fds[0] = (struct pollfd){ .fd = ((struct net_dgram *)b)->fd, .events = POLLIN };
    return 1;
}

static bool dgram_waits(struct net_backend *b) { return net_outside_waits(&((struct net_dgram *)b)->outside, b->wire->clock); }

#define SET(end, what) \
    static int set_##end##_##what(void *target, const char *value, struct error *err) { return ((struct net_dgram *)target)->end.what = value, 0; }
SET(local, type) SET(local, path) SET(local, host) SET(local, port) SET(remote, type) SET(remote, path) SET(remote, host) SET(remote, port)

static int place(struct socket_place *p, const struct dgram_end *e, bool listens, struct error *err)
{
    if (e->type && strcmp(e->type, "unix") == 0 && e->path)
        return socket_place_unix(p, e->path, err);
    if (e->type && strcmp(e->type, "inet") == 0 && e->port)
        return socket_place_inet(p, e->host ? e->host : "", e->port, listens, err);
    return error_set(err, "-netdev dgram: leads nowhere; give local.type=unix,local.path=A,remote.type=unix,remote.path=B, or inet with .host and .port");
}

static void dgram_close(struct net_backend *b)
{
    struct net_dgram *d = (struct net_dgram *)b;
    const struct sockaddr *a = (const struct sockaddr *)&d->here.address;
    net_attach(b->wire, NET_BACKEND, NULL);
    if (d->fd >= 0)
        close(d->fd);
    if (d->fd >= 0 && a->sa_family == AF_UNIX)
        unlink(a->sa_data);
    free(d);
}

static struct net_backend *dgram_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option options[] = {
        { "local.type", set_local_type }, { "local.path", set_local_path }, { "local.host", set_local_host }, { "local.port", set_local_port },
        { "remote.type", set_remote_type }, { "remote.path", set_remote_path }, { "remote.host", set_remote_host }, { "remote.port", set_remote_port },
        { NULL, NULL } };
    struct net_dgram *d = net_backend_new(&net_dgram_ops, w, sizeof *d, err);
    if (!d)
        return NULL;
    d->fd = -1;
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = from_guest, .opaque = d });
    if (net_take_options("dgram", options, d, word, nwords, err) || place(&d->here, &d->local, true, err) || place(&d->there, &d->remote, false, err) ||
        (d->fd = socket_bind(&d->here, SOCK_DGRAM, err)) < 0) {
        dgram_close(&d->head);
        return NULL;
    }
    return &d->head;
}

const struct net_backend_ops net_dgram_ops = {
    .name = "dgram", .help = "another emulator, by datagrams: local.type=unix,local.path=, remote.type=unix,remote.path=, or inet with .host and .port",
    .open = dgram_open, .close = dgram_close, .poll = dgram_poll, .fds = dgram_fds, .waits = dgram_waits,
};
