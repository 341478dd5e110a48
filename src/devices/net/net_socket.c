/* SPDX-License-Identifier: MIT */
/*
 * Another emulator at the wire's far end, by a stream: each frame behind its length, four bytes in network order, as QEMU's -netdev
 * socket and -netdev stream have it. One listens, the other connects, and again after either was gone; there is no third.
 *
 * What the peer says may be cut anywhere, and wrong: a length that no frame has ends the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "devices/net/net_checksum.h"
#include "devices/net/net_outside.h"
#include "devices/net/net_socket.h"

enum { LENGTH = 4, RETRY_MS = 100, CONNECT_MS = 3000, BURST = 128 /* lengths and frames, or parts of them, that are taken in at once */ };

struct net_stream {
    struct net_backend head;
    struct socket_place place;
    const char *type, *path, *host, *port;      /* of stream's options; borrowed while it is opened */
    bool listens, placed;
    unsigned ways;                  /* to a peer, that the user has named */
    int listener, fd;               /* -1: none */
    u64 tried_ms;
    struct net_outside outside;
    u32 have; u8 in[LENGTH + NET_FRAME_MAX];    /* of the frame that is coming */
    u32 len, sent; u8 out[LENGTH + NET_FRAME_MAX];  /* of the frame that is on its way; len 0: none */
};

static u64 host_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static bool later(void) { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN; }

static void hang_up(struct net_stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->have = s->len = s->sent = 0;
}

/* --- to the peer --- */

static void push(struct net_stream *s)
{
    while (s->fd >= 0 && s->sent < s->len) {
        ssize_t n = send(s->fd, s->out + s->sent, s->len - s->sent, MSG_NOSIGNAL);
        if (n < 0 && !later())
            hang_up(s);
        if (n < 0)
            return;
        s->sent += n;
    }
    s->len = s->sent = 0;
}

static bool can_take(void *opaque) { return !((struct net_stream *)opaque)->len; }

/* Without a peer it goes nowhere, as with a plug that hangs in the air. */
static void from_guest(void *opaque, const u8 *frame, u32 len)
{
    struct net_stream *s = opaque;
    if (s->fd < 0)
        return;
    net_put32(s->out, len);
    memcpy(s->out + LENGTH, frame, len);
    s->len = LENGTH + len;
    s->sent = 0;
    net_outside_heard(&s->outside, s->head.wire->clock);
    push(s);
}

/* --- from the peer --- */

static u32 missing(const struct net_stream *s) { return s->have < LENGTH ? LENGTH - s->have : LENGTH + net_get32(s->in) - s->have; }

static bool is_frame(const struct net_stream *s) { return s->have < LENGTH || (net_get32(s->in) && net_get32(s->in) <= NET_FRAME_MAX); }

/* False: nothing more comes now. */
static bool pull(struct net_stream *s)
{
    ssize_t n = recv(s->fd, s->in + s->have, missing(s), 0);
    if (n < 0 && later())
        return false;
    s->have += n > 0 ? n : 0;
    if (n <= 0 || !is_frame(s)) {
        hang_up(s);
        return false;
    }
    if (s->have > LENGTH && !missing(s)) {
        net_send(s->head.wire, NET_BACKEND, s->in + LENGTH, s->have - LENGTH);
        net_outside_heard(&s->outside, s->head.wire->clock);
        s->have = 0;
    }
    return true;
}

/* --- being connected --- */

static void meet(struct net_stream *s)
{
    if (s->listens) {
        s->fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return;
    }
    if (!s->placed || host_ms() - s->tried_ms < RETRY_MS)
        return;
    s->tried_ms = host_ms();
    s->fd = socket_connect(&s->place, SOCK_STREAM, 0);
}

static void stream_poll(struct net_backend *b)
{
    struct net_stream *s = (struct net_stream *)b;
    if (s->fd < 0)
        meet(s);
    if (s->fd < 0)
        return;
    push(s);
    unsigned left = BURST;
    while (left-- && net_room(b->wire, NET_BACKEND) && s->fd >= 0 && pull(s))
        ;
    if (!s->len)
        net_wake(b->wire, NET_BACKEND);
}

static unsigned stream_fds(struct net_backend *b, struct pollfd *fds, unsigned max)
{
    struct net_stream *s = (struct net_stream *)b;
    short events = (net_room(b->wire, NET_BACKEND) ? POLLIN : 0) | (s->len ? POLLOUT : 0);
    if (!max || !events || (s->fd < 0 && s->listener < 0))
        return 0;
    fds[0] = s->fd < 0 ? (struct pollfd){ .fd = s->listener, .events = POLLIN } : (struct pollfd){ .fd = s->fd, .events = events };
    return 1;
}

static bool stream_waits(struct net_backend *b)
{
    const struct net_stream *s = (const struct net_stream *)b;
    return s->fd >= 0 && net_outside_waits(&s->outside, b->wire->clock);
}

/* --- its life --- */

static void stream_close(struct net_backend *b)
{
    struct net_stream *s = (struct net_stream *)b;
    const struct sockaddr *a = (const struct sockaddr *)&s->place.address;
    net_attach(b->wire, NET_BACKEND, NULL);
    hang_up(s);
    if (s->listener >= 0)
        close(s->listener);
    if (s->listener >= 0 && a->sa_family == AF_UNIX)
        unlink(a->sa_data);
    free(s);
}

static int start(struct net_stream *s, struct error *err)
{
    if (s->listens)
        return (s->listener = socket_bind(&s->place, SOCK_STREAM, err)) < 0 ? -1 : 0;
    s->fd = socket_connect(&s->place, SOCK_STREAM, CONNECT_MS);
    return s->fd >= 0 ? 0 : error_set(err, "-netdev %s: nobody listens there (%s); start the one with %s first", s->head.ops->name, strerror(errno),
                                      s->head.ops == &net_socket_ops ? "listen=" : "server=on");
}

static struct net_backend *open_stream(const struct net_backend_ops *ops, const struct net_option *options, int (*place)(struct net_stream *s, struct error *err),
                                       struct net_wire *w, const char *const *word, unsigned nwords, struct error *err)
{
    struct net_stream *s = net_backend_new(ops, w, sizeof *s, err);
    if (!s)
        return NULL;
    s->fd = s->listener = -1;
    s->host = s->type = "";
    net_attach(w, NET_BACKEND, &(struct net_end){ .ready = can_take, .receive = from_guest, .opaque = s });
    if (net_take_options(ops->name, options, s, word, nwords, err) || place(s, err) || (s->fd < 0 && start(s, err))) {
        stream_close(&s->head);
        return NULL;
    }
    return &s->head;
}

/* --- -netdev socket --- */

static int set_listen(void *target, const char *value, struct error *err)
{
    struct net_stream *s = target;
    s->listens = s->placed = true;
    s->ways++;
    return socket_place_pair(&s->place, value, true, err);
}

static int set_connect(void *target, const char *value, struct error *err)
{
    struct net_stream *s = target;
    s->placed = true;
    s->ways++;
    return socket_place_pair(&s->place, value, false, err);
}

static int set_fd(void *target, const char *value, struct error *err)
{
    struct net_stream *s = target;
    char *end;
    s->ways++;
    s->fd = strtol(value, &end, 10);
    if (end != value && !*end && fcntl(s->fd, F_SETFL, O_NONBLOCK) == 0)
        return 0;
    s->fd = -1;
    return error_set(err, "-netdev %s: fd=%s: is no open descriptor", s->head.ops->name, value);
}

static int place_socket(struct net_stream *s, struct error *err)
{
    if (s->ways > 1)
        return error_set(err, "-netdev socket: leads to two places; give only one of listen=, connect= and fd=");
    return s->ways ? 0 : error_set(err, "-netdev socket: leads nowhere; give listen=:PORT to one, connect=HOST:PORT to the other, or fd=N");
}

static struct net_backend *socket_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option options[] = { { "listen", set_listen }, { "connect", set_connect }, { "fd", set_fd }, { NULL, NULL } };
    return open_stream(&net_socket_ops, options, place_socket, w, word, nwords, err);
}

/* --- -netdev stream --- */

static int set_type(void *target, const char *value, struct error *err) { return ((struct net_stream *)target)->type = value, 0; }
static int set_path(void *target, const char *value, struct error *err) { return ((struct net_stream *)target)->path = value, 0; }
static int set_host(void *target, const char *value, struct error *err) { return ((struct net_stream *)target)->host = value, 0; }
static int set_port(void *target, const char *value, struct error *err) { return ((struct net_stream *)target)->port = value, 0; }
static int set_server(void *target, const char *value, struct error *err) { return net_take_switch(&((struct net_stream *)target)->listens, "stream", "server", value, err); }
static int set_nothing(void *target, const char *value, struct error *err) { return 0; }

static int place_stream(struct net_stream *s, struct error *err)
{
    s->placed = true;
    if (strcmp(s->type, "unix") == 0 && s->path)
        return socket_place_unix(&s->place, s->path, err);
    if (strcmp(s->type, "inet") == 0 && s->port)
        return socket_place_inet(&s->place, s->host, s->port, s->listens, err);
    return error_set(err, "-netdev stream: leads nowhere; give addr.type=unix,addr.path=SOCKET or addr.type=inet,addr.host=H,addr.port=P, "
                          "and server=on to one of the two");
}

static struct net_backend *stream_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option options[] = { { "server", set_server }, { "addr.type", set_type }, { "addr.path", set_path },
                                                 { "addr.host", set_host }, { "addr.port", set_port }, { "reconnect", set_nothing }, { NULL, NULL } };
    return open_stream(&net_stream_ops, options, place_stream, w, word, nwords, err);
}

const struct net_backend_ops net_socket_ops = {
    .name = "socket", .help = "another emulator: listen=[HOST]:PORT, connect=HOST:PORT, fd=", .open = socket_open, .close = stream_close,
    .poll = stream_poll, .fds = stream_fds, .waits = stream_waits,
};
const struct net_backend_ops net_stream_ops = {
    .name = "stream", .help = "the same, also by a UNIX socket: server=on|off, addr.type=unix,addr.path= or inet, addr.host=, addr.port=", .open = stream_open,
    .close = stream_close, .poll = stream_poll, .fds = stream_fds, .waits = stream_waits,
};
