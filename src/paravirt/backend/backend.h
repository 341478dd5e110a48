/* SPDX-License-Identifier: MIT */
/*
 * The driver domain, modelled: domain 0, which has the real devices, and gives its guest a part of each. A device is
 * split: its front-end is a driver in the guest, its back-end one in domain 0, and between them are only granted
 * pages, an event channel and the store.
 *
 *     toolstack.c      what `xl create` writes into the store: which devices there are
 *     xenbus.c         the handshake: both ends watch one another's state, and connect at the right moment
 *     ring.c           the shared ring
 *     blkback.c        disks, over the machine's images
 *     netback.c        network adapters, over the machine's wires
 *
 * Domain 0 is no guest here: its work is done by this code, at the moment when it is notified, and is charged as what
 * it would be: a switch of domains each way, an upcall, and its hypercalls about grants.
 */
#ifndef EMU_PARAVIRT_BACKEND_H
#define EMU_PARAVIRT_BACKEND_H

#include "paravirt/backend/ring.h"
#include "paravirt/domain.h"

#define BACKENDS_MOST 8
#define BACKEND_RINGS 2
#define BACKEND_PATH 96

struct backend_device;

struct backend_ops {
    const char *type;                                   /* "vbd", "vif" */
    const char *rings[BACKEND_RINGS];                   /* names of the nodes with the rings' grants */
    u32 slot[BACKEND_RINGS];                            /* bytes of a slot of each */
    bool late;                                          /* connect at the front-end's state 4, not already at 3 */
    void (*publish)(struct backend_device *b);          /* nodes that the front-end reads before it connects */
    bool (*connect)(struct backend_device *b);          /* read what it asks for; false: it cannot be had */
    void (*disconnect)(struct backend_device *b);       /* NULL: nothing of its own */
    void (*work)(struct backend_device *b);             /* the front-end says: look into the rings */
    void (*free)(struct backend_device *b);
};

/* The head of every back-end's own struct. */
struct backend_device {
    const struct backend_ops *ops;
    struct domain *d;
    u32 id;                                             /* vbd: device number; vif: index */
    char front[BACKEND_PATH], back[BACKEND_PATH];       /* paths in the store */
    enum xenbus_state state;                            /* this end's */
    struct ring ring[BACKEND_RINGS];
    u32 ref[BACKEND_RINGS];                             /* their grants, while connected */
    u32 port;                                           /* the guest's, while connected */
    u64 notified, requests, bytes, errors;              /* counted, for `info` */
};

struct drivers {
    struct backend_device *device[BACKENDS_MOST]; unsigned n;
};

/* --- xenbus.c --- */
/* A zeroed device of `size` bytes at the given paths, in the list of the domain; NULL: no memory, or too many. */
void *backend_new(struct domain *d, const struct backend_ops *ops, size_t size, u32 id);
/* Write both ends' nodes, and wait for the front-end. */
void backend_start(struct backend_device *b);
/* The front-end broke a rule: note why in the store, give everything back, and serve it only when it has started over. */
void backend_fail(struct backend_device *b, const char *why);
/* Its answers are in the ring: an event for the guest, if it wants one. */
void backend_answered(struct backend_device *b, unsigned ring);
/* Node below an end's path, as text, number, or written. */
const char *backend_path(char buf[BACKEND_PATH + 32], const char *end, const char *node);
void backend_put(struct backend_device *b, const char *node, u64 value);
void backend_put_text(struct backend_device *b, const char *node, const char *value);
bool backend_wish(struct backend_device *b, const char *node, u32 *value); /* a number that the front-end wrote */

/* --- what is on offer --- */
struct block;
struct net_wire;
bool blkback_add(struct domain *d, u32 number, const char *name, struct block *image, bool is_cd);
bool netback_add(struct domain *d, u32 index, struct net_wire *wire, const u8 mac[6]);

/* Domain 0's hypercalls about grants: one batch of n. */
void charge_driver_map(struct domain *d, u32 n);
void charge_driver_unmap(struct domain *d, u32 n);

#endif
