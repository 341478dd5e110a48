/* SPDX-License-Identifier: MIT */
/* A plug that leads back: every frame returns to who sent it, as it was. For tests of drivers. */
#include <stdlib.h>

#include "devices/net/net_backend.h"

static void send_back(void *opaque, const u8 *frame, u32 len) { net_send(opaque, NET_BACKEND, frame, len); }
static bool can_send(void *opaque) { return net_room(opaque, NET_BACKEND); }
static void go_on(void *opaque) { net_wake(opaque, NET_BACKEND); }

static struct net_backend *loopback_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option no_options[] = { { NULL, NULL } };
    struct net_backend *b = net_backend_new(&net_loopback_ops, w, sizeof *b, err);
    if (b && net_take_options("loopback", no_options, b, word, nwords, err)) {
        free(b);
        return NULL;
    }
    if (b)
        net_attach(w, NET_BACKEND, &(struct net_end){ .ready = can_send, .receive = send_back, .room = go_on, .opaque = w });
    return b;
}

static void loopback_close(struct net_backend *b)
{
    net_attach(b->wire, NET_BACKEND, NULL);
    free(b);
}

const struct net_backend_ops net_loopback_ops = {
    .name = "loopback", .help = "sends every frame back", .open = loopback_open, .close = loopback_close,
};
