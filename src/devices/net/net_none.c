/* SPDX-License-Identifier: MIT */
/* A socket in the wall that leads nowhere: the link is up, what is sent is gone. */
#include <stdlib.h>

#include "devices/net/net_backend.h"

static void swallow(void *opaque, const u8 *frame, u32 len) {}

static struct net_backend *none_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option no_options[] = { { NULL, NULL } };
    struct net_backend *b = net_backend_new(&net_none_ops, w, sizeof *b, err);
    if (b && net_take_options("none", no_options, b, word, nwords, err)) {
        free(b);
        return NULL;
    }
    if (b)
        net_attach(w, NET_BACKEND, &(struct net_end){ .receive = swallow });
    return b;
}

static void none_close(struct net_backend *b)
{
    net_attach(b->wire, NET_BACKEND, NULL);
    free(b);
}

const struct net_backend_ops net_none_ops = { .name = "none", .help = "leads nowhere", .open = none_open, .close = none_close };
