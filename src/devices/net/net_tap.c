/* SPDX-License-Identifier: MIT */
/*
 * A network interface of the host's, tap0 or so: what its kernel sends there comes to the guest, and the other way round. Making one needs
 * rights (CAP_NET_ADMIN), as in a network namespace of one's own: `unshare -Urn`.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/net/net_outside.h"

enum { BURST = 64 };        /* frames that are taken in at once */

struct net_tap {
    struct net_backend head;
    int fd;                     /* -1: the interface has gone */
    const char *name;
    struct net_outside outside;
    u8 frame[NET_FRAME_MAX];
};

int net_tap_open(const char *name, bool vnet, struct error *err)
{
    struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0) };
    if (strlen(name) >= sizeof r.ifr_name)
        return error_set(err, "-netdev tap: ifname=%s: an interface's name has at most %zu characters", name, sizeof r.ifr_name - 1);
    strcpy(r.ifr_name, name);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, "-netdev tap: /dev/net/tun: %s; -netdev user needs no rights", strerror(errno));
    if (ioctl(fd, TUNSETIFF, &r) == 0)
        return fd;
    error_set(err, "-netdev tap: interface %s cannot be had: %s; make it with `ip tuntap add %s mode tap user $USER`, or use -netdev user",
              *name ? name : "tap0", strerror(errno), *name ? name : "tap0");
    close(fd);
    return -1;
}

/* A kernel whose queue is full drops frames, as any network does. */
static void from_guest(void *opaque, const u8 *frame, u32 len)
{
    struct net_tap *t = opaque;
    if (t->fd >= 0 && write(t->fd, frame, len) == (ssize_t)len)
        net_outside_heard(&t->outside, t->head.wire->clock);
}

static void let_go(struct net_tap *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

/* False: nothing more comes now. */
static bool take_frame(struct net_tap *t)
{
    ssize_t n = read(t->fd, t->frame, sizeof t->frame);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        let_go(t);
    if (n <= 0)
        return false;
    net_outside_heard(&t->outside, t->head.wire->clock);
    net_send(t->head.wire, NET_BACKEND, t->frame, n);
    return true;
}

static void tap_poll(struct net_backend *b)
{
    struct net_tap *t = (struct net_tap *)b;
    unsigned left = BURST;
    while (left-- && t->fd >= 0 && net_room(b->wire, NET_BACKEND) && take_frame(t))
        ;
}

static unsigned tap_fds(struct net_backend *b, struct pollfd *fds, unsigned max)
{
    if (!max || ((struct net_tap *)b)->fd < 0 || !net_room(b->wire, NET_BACKEND))
        return 0;
    fds[0] = (struct pollfd){ .fd = ((struct net_tap *)b)->fd, .events = POLLIN };
    return 1;
}

static bool tap_waits(struct net_backend *b) { return net_outside_waits(&((struct net_tap *)b)->outside, b->wire->clock); }

/* --- options --- */

static int set_name(void *target, const char *value, struct error *err) { return ((struct net_tap *)target)->name = value, 0; }

static int set_fd(void *target, const char *value, struct error *err)
{
    struct net_tap *t = target;
    char *end;
    t->fd = strtol(value, &end, 10);
    if (end == value || *end || fcntl(t->fd, F_SETFL, O_NONBLOCK))
        return error_set(err, "-netdev tap: fd=%s: is no open descriptor", value);
    return 0;
}

/* QEMU runs scripts that give the interface an address; here that is the user's. */
static int set_script(void *target, const char *value, struct error *err)
{
    return strcmp(value, "no") == 0 ? 0 : error_set(err, "-netdev tap: script=%s: no scripts are run; give no, and set the interface up yourself", value);
}

/* With vhost=on the adapter's rings are the kernel's, and nobody comes here. */
static int set_vhost(void *target, const char *value, struct error *err)
{
    bool on;
    return net_take_switch(&on, "tap", "vhost", value, err);
}

static void tap_close(struct net_backend *b)
{
    struct net_tap *t = (struct net_tap *)b;
    net_attach(b->wire, NET_BACKEND, NULL);
    let_go(t);
    free(t);
}

static struct net_backend *tap_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option options[] = { { "ifname", set_name }, { "fd", set_fd }, { "script", set_script }, { "downscript", set_script },
                                                 { "vhost", set_vhost }, { NULL, NULL } };
    struct net_tap *t = net_backend_new(&net_tap_ops, w, sizeof *t, err);
    if (!t)
        return NULL;
    t->fd = -1;
    t->name = "";
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = from_guest, .opaque = t });
    if (net_take_options("tap", options, t, word, nwords, err) || (t->fd < 0 && (t->fd = net_tap_open(t->name, false, err)) < 0)) {
        tap_close(&t->head);
        return NULL;
    }
    return &t->head;
}

const struct net_backend_ops net_tap_ops = {
    .name = "tap", .help = "an interface of the host's: ifname=, fd=, script=no; vhost=on: its kernel serves the adapter's rings", .open = tap_open,
    .close = tap_close, .poll = tap_poll, .fds = tap_fds, .waits = tap_waits,
};
