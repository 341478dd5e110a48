/* SPDX-License-Identifier: MIT */
/*
 * The user-mode network: libslirp plays router, DHCP, DNS and TFTP server, and opens a socket of this process for each
 * connection of the guest. No rights are needed, and nothing outside can reach the guest but by hostfwd.
 *
 * libslirp keeps its time by the guest's clock: its timers are timers of the machine. Its sockets are looked at between slices of
 * the run loop. As long as one of them belongs to a connection, the guest waits for somebody who lives in the host's time; an
 * idle machine must then pass time as the host does (see net_backend_ops.waits).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "devices/net/net_backend.h"
#include "devices/net/net_user.h"
#include "devices/net/slirp_api.h"

#define DATAGRAM_PATIENCE_S 5   /* virtual seconds for which an answer to a datagram is waited for: resolvers give up then */

/* A timer that libslirp asked for; freed by it. */
struct user_timer {
    struct timer timer;
    struct net_user *user;
    SlirpTimerCb call;
    void *opaque;
};

struct net_user {
    struct net_backend head;
    struct user_options options;
    struct slirp_api api;
    Slirp *slirp;
    struct timer due;           /* libslirp's TCP timers: when it wants to be polled */
    bool stir;                  /* there may be something to do without a descriptor's saying so */
    cycles_t last_frame;        /* from the guest */
    struct pollfd fd[NET_BACKEND_FDS];
    unsigned nfds;
};

static struct clock *clock_of(const struct net_user *u) { return u->head.wire->clock; }

/* --- what libslirp calls --- */

static ssize_t to_guest(const void *frame, size_t len, void *opaque)
{
    struct net_user *u = opaque;
    net_send(u->head.wire, NET_BACKEND, frame, len > NET_FRAME_MAX ? 0 : len);
    return len;
}

static int64_t virtual_ns(void *opaque) { return clock_cycles_to_ns(clock_of(opaque), clock_of(opaque)->now); }

static void fire_timer(void *opaque, cycles_t when)
{
    struct user_timer *t = opaque;
    t->call(t->opaque);
}

static void *new_timer(SlirpTimerCb call, void *call_opaque, void *opaque)
{
    struct user_timer *t = calloc(1, sizeof *t);
    if (t)
        *t = (struct user_timer){ .timer = { .fire = fire_timer, .opaque = t }, .user = opaque, .call = call, .opaque = call_opaque };
    return t;
}

static void free_timer(void *timer, void *opaque)
{
    struct user_timer *t = timer;
    if (t)
        timer_cancel(clock_of(opaque), &t->timer);
    free(t);
}

static void set_timer(void *timer, int64_t ms, void *opaque)
{
    struct user_timer *t = timer;
    if (t)
        timer_set(clock_of(opaque), &t->timer, clock_ns_to_cycles(clock_of(opaque), ms > 0 ? (u64)ms * 1000000 : 0));
}

static void guest_error(const char *message, void *opaque) {}
static void ignore_fd(int fd, void *opaque) {}
static void notify(void *opaque) { ((struct net_user *)opaque)->stir = true; }

static const SlirpCb callbacks = {
    .send_packet = to_guest, .guest_error = guest_error, .clock_get_ns = virtual_ns, .timer_new = new_timer, .timer_free = free_timer,
    .timer_mod = set_timer, .register_poll_fd = ignore_fd, .unregister_poll_fd = ignore_fd, .notify = notify,
};

/* --- its sockets --- */

/* SLIRP_POLL_* and the host's names for the same. */
static const struct { int slirp; short host; } events[] = {
    { SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int add_fd(int fd, int wanted, void *opaque)
{
    struct net_user *u = opaque;
    if (u->nfds == NET_BACKEND_FDS)
        return -1;
    struct pollfd *p = &u->fd[u->nfds];
    *p = (struct pollfd){ .fd = fd };
    for (unsigned i = 0; i < ARRAY_LEN(events); i++)
        if (wanted & events[i].slirp)
            p->events |= events[i].host;
    return u->nfds++;
}

static int events_of(int index, void *opaque)
{
    const struct net_user *u = opaque;
    int seen = 0;
    for (unsigned i = 0; index >= 0 && (unsigned)index < u->nfds && i < ARRAY_LEN(events); i++)
        if (u->fd[index].revents & events[i].host)
            seen |= events[i].slirp;
    return seen;
}

/* Ask it for its descriptors, and when it wants to be called without one: milliseconds, UINT32_MAX never. */
static u32 gather(struct net_user *u)
{
    u32 timeout_ms = UINT32_MAX;
    u->nfds = 0;
    u->api.pollfds_fill(u->slirp, &timeout_ms, add_fd, u);
    return timeout_ms;
}

static void rearm(struct net_user *u, u32 timeout_ms)
{
    struct clock *c = clock_of(u);
    if (timeout_ms == UINT32_MAX)
        timer_cancel(c, &u->due);
    else
        timer_set(c, &u->due, c->now + clock_ns_to_cycles(c, (timeout_ms ? timeout_ms : 1) * (u64)1000000));
}

/* Nothing is taken from the sockets while the guest has not taken what came before: so their senders wait. */
static void user_poll(struct net_backend *b)
{
    struct net_user *u = (struct net_user *)b;
    if ((!u->stir && !u->nfds) || !net_room(b->wire, NET_BACKEND))
        return;
    u->stir = false;
    u32 timeout_ms = gather(u);
    int n = poll(u->fd, u->nfds, 0);
    u->api.pollfds_poll(u->slirp, n < 0, events_of, u);
    rearm(u, timeout_ms);
}

static void stir(void *opaque) { ((struct net_user *)opaque)->stir = true; }
static void stir_when_due(void *opaque, cycles_t when) { stir(opaque); }

static void from_guest(void *opaque, const u8 *frame, u32 len)
{
    struct net_user *u = opaque;
    u->stir = true;
    u->last_frame = clock_of(u)->now;
    u->api.input(u->slirp, frame, len);
}

static unsigned user_fds(struct net_backend *b, struct pollfd *fds, unsigned max)
{
    struct net_user *u = (struct net_user *)b;
    gather(u);
    if (!net_room(b->wire, NET_BACKEND))
        return 0;               /* what they bring could not be taken */
    unsigned n = u->nfds < max ? u->nfds : max;
    memcpy(fds, u->fd, n * sizeof *fds);
    return n;
}

static int socket_says(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 ? value : 0;
}

/* A connection, or a datagram that may still be answered. A port that listens for the host's clients is neither. */
static bool user_waits(struct net_backend *b)
{
    struct net_user *u = (struct net_user *)b;
    bool patient = clock_of(u)->now - u->last_frame < DATAGRAM_PATIENCE_S * clock_of(u)->hz;
    for (unsigned i = 0; i < u->nfds; i++) {
        bool stream = socket_says(u->fd[i].fd, SO_TYPE) == SOCK_STREAM;
        if (stream ? !socket_says(u->fd[i].fd, SO_ACCEPTCONN) : patient)
            return true;
    }
    return false;
}

/* --- its life --- */

static SlirpConfig configuration(struct user_options *o)
{
    SlirpConfig c = {
        .version = 1, .restricted = o->restricted, .in_enabled = o->ipv4, .vnetwork = o->net, .vnetmask = o->mask, .vhost = o->host,
        .in6_enabled = o->ipv6, .vprefix_len = 64, .vhostname = o->hostname, .tftp_server_name = o->tftp_server, .tftp_path = o->tftp,
        .bootfile = o->bootfile, .vdhcp_start = o->dhcp_start, .vnameserver = o->dns, .vdnssearch = o->nsearch ? o->search : NULL,
        .vdomainname = o->domain,
    };
    c.vprefix_addr6.s6_addr[0] = c.vhost6.s6_addr[0] = c.vnameserver6.s6_addr[0] = 0xfe;   /* fec0::/64, ::2 and ::3 */
    c.vprefix_addr6.s6_addr[1] = c.vhost6.s6_addr[1] = c.vnameserver6.s6_addr[1] = 0xc0;
    c.vhost6.s6_addr[15] = 2;
    c.vnameserver6.s6_addr[15] = 3;
    return c;
}

static int forward_ports(struct net_user *u, struct error *err)
{
    for (unsigned i = 0; i < u->options.nforwards; i++) {
        const struct user_forward *f = &u->options.forward[i];
        if (u->api.add_hostfwd(u->slirp, f->udp, f->host, f->host_port, f->guest, f->guest_port))
            return error_set(err, "-netdev user: hostfwd=%s: port %u of the host cannot be had: %s; give another", f->text, f->host_port, strerror(errno));
    }
    return 0;
}

static int start(struct net_user *u, const char *const *word, unsigned nwords, struct error *err)
{
    if (user_options_take(&u->options, word, nwords, err) || slirp_api_load(&u->api, err))
        return -1;
    SlirpConfig c = configuration(&u->options);
    u->slirp = u->api.new(&c, &callbacks, u);
    if (!u->slirp)
        return error_set(err, "-netdev user: libslirp refuses these addresses");
    return forward_ports(u, err);
}

static void user_close(struct net_backend *b)
{
    struct net_user *u = (struct net_user *)b;
    net_attach(b->wire, NET_BACKEND, NULL);
    if (u->slirp)
        u->api.cleanup(u->slirp);
    timer_cancel(clock_of(u), &u->due);
    slirp_api_unload(&u->api);
    free(u);
}

static struct net_backend *user_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    struct net_user *u = net_backend_new(&net_user_ops, w, sizeof *u, err);
    if (!u)
        return NULL;
    u->stir = true;
    u->due = (struct timer){ .fire = stir_when_due, .opaque = u };
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = from_guest, .room = stir, .opaque = u });
    if (start(u, word, nwords, err)) {
        user_close(&u->head);
        return NULL;
    }
    return &u->head;
}

const struct net_backend_ops net_user_ops = {
    .name = "user", .help = "the host's network through libslirp: NAT, DHCP, DNS, TFTP, hostfwd=", .open = user_open, .close = user_close,
    .poll = user_poll, .fds = user_fds, .waits = user_waits,
};
