/* SPDX-License-Identifier: MIT */
/*
 * A hub: what comes in at one port goes out at all the others (IEEE 802.3, clause 9). The ports are back-ends that name the same
 * hub; it is there as long as one of them is. A port without room loses what the others can still take.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_backend.h"

enum { HUB_PORTS = 16 };

struct net_hub {
    struct net_hub *next;
    char name[32];
    struct net_room *room;
    struct net_wire *port[HUB_PORTS];   /* NULL: free */
};

struct hub_port {
    struct net_backend head;
    struct net_hub *hub;
    const char *name;               /* of the hub; while it is opened */
};

static void repeat(void *opaque, const u8 *frame, u32 len)
{
    struct hub_port *p = opaque;
    for (unsigned i = 0; i < HUB_PORTS; i++)
        if (p->hub->port[i] && p->hub->port[i] != p->head.wire)
            net_send(p->hub->port[i], NET_BACKEND, frame, len);
}

static struct net_hub *find_or_make(struct net_room *room, const char *name)
{
    struct net_hub *h = room->hubs;
    while (h && strcmp(h->name, name))
        h = h->next;
    if (h || !(h = calloc(1, sizeof *h)))
        return h;
    strncpy(h->name, name, sizeof h->name - 1);
    h->room = room;
    h->next = room->hubs;
    room->hubs = h;
    return h;
}

static void drop_if_empty(struct net_hub *h)
{
    for (unsigned i = 0; i < HUB_PORTS; i++)
        if (h->port[i])
            return;
    struct net_hub **at = &h->room->hubs;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
    free(h);
}

static int plug_in(struct hub_port *p, struct net_room *room, struct error *err)
{
    p->hub = find_or_make(room, p->name);
    for (unsigned i = 0; p->hub && i < HUB_PORTS; i++)
        if (!p->hub->port[i]) {
            p->hub->port[i] = p->head.wire;
            return 0;
        }
    return error_set(err, "-netdev hubport: hub %s has no free port; there are %d", p->name, HUB_PORTS);
}

static int set_hub(void *target, const char *value, struct error *err)
{
    ((struct hub_port *)target)->name = value;
    return strlen(value) < sizeof ((struct net_hub *)0)->name ? 0 : error_set(err, "-netdev hubport: hubid=%s: is too long", value);
}

static struct net_backend *hub_open(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err)
{
    static const struct net_option options[] = { { "hubid", set_hub }, { NULL, NULL } };
    struct hub_port *p = net_backend_new(&net_hub_ops, w, sizeof *p, err);
    if (!p)
        return NULL;
    p->name = "0";
    if (net_take_options("hubport", options, p, word, nwords, err) || plug_in(p, room, err)) {
        free(p);
        return NULL;
    }
    net_attach(w, NET_BACKEND, &(struct net_end){ .receive = repeat, .opaque = p });
    return &p->head;
}

static void hub_close(struct net_backend *b)
{
    struct hub_port *p = (struct hub_port *)b;
    net_attach(b->wire, NET_BACKEND, NULL);
    for (unsigned i = 0; i < HUB_PORTS; i++)
        if (p->hub->port[i] == b->wire)
            p->hub->port[i] = NULL;
    drop_if_empty(p->hub);
    free(p);
}

const struct net_backend_ops net_hub_ops = { .name = "hubport", .help = "a port of hub hubid=N of this machine", .open = hub_open, .close = hub_close };
