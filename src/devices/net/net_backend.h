/* SPDX-License-Identifier: MIT */
/*
 * Back-ends: what a wire's other end leads to. Each kind is a file and a row of net_backends[]; it takes its own options as words
 * "KEY=VALUE" and attaches itself to the wire that it is given. It knows no NIC and no machine, only the wire and its clock.
 */
#ifndef EMU_DEVICES_NET_BACKEND_H
#define EMU_DEVICES_NET_BACKEND_H

#include <poll.h>

#include "base/error.h"
#include "devices/net/net.h"

enum { NET_WORDS = 24, NET_BACKEND_FDS = 256 };

struct ledger;
struct net_backend;

/* What is shared by the back-ends of one machine. Zeroed storage is an empty room. */
struct net_room {
    struct net_hub *hubs;           /* list, each owned by its ports together */
    struct net_cable **cables;      /* list, each owned by its ends together; the storage is shared by machines that can be connected. NULL: none can be */
    struct ledger *ledger;          /* the machine's, where the modelled host's work is charged; NULL: it is not modelled */
};

struct net_backend_ops {
    const char *name, *help;
    /* NULL with *err. Words are borrowed during the call. */
    struct net_backend *(*open)(struct net_wire *w, struct net_room *room, const char *const *word, unsigned nwords, struct error *err);
    void (*close)(struct net_backend *b);
    /* Those that lead out of this process have the following; NULL otherwise. */
    void (*poll)(struct net_backend *b);                    /* look, without waiting, what has come from outside */
    unsigned (*fds)(struct net_backend *b, struct pollfd *fds, unsigned max);   /* what an idle machine may wait on */
    /* Does the guest wait for an answer from outside? Then an idle machine must not let virtual time jump over it. */
    bool (*waits)(struct net_backend *b);
};

/* The head of every back-end's own struct. */
struct net_backend {
    const struct net_backend_ops *ops;
    struct net_wire *wire;
};

extern const struct net_backend_ops *const net_backends[];  /* NULL-ended */
extern const struct net_backend_ops net_none_ops, net_loopback_ops, net_hub_ops, net_user_ops,
    net_tap_ops, net_socket_ops, net_stream_ops, net_dgram_ops;

/* One option of a back-end: what follows KEY= goes to set(). */
struct net_option {
    const char *key;
    int (*set)(void *target, const char *value, struct error *err);
};

/* Zeroed storage of `size` bytes whose head is a back-end on this wire. NULL with *err. */
void *net_backend_new(const struct net_backend_ops *ops, struct net_wire *w, size_t size, struct error *err);
/* Give each word to its row of table[], which ends with a NULL key. 0 or -1 with *err. */
int net_take_options(const char *backend, const struct net_option *table, void *target, const char *const *word, unsigned nwords,
                     struct error *err);
/* "on" or "off". 0 or -1 with *err that names the back-end and the key. */
int net_take_switch(bool *to, const char *backend, const char *key, const char *value, struct error *err);

#endif
