/* SPDX-License-Identifier: MIT */
/* The handshake of a front-end, and the two drivers. One call at a time; what fails panics. */
#ifndef GUEST_SPLIT_H
#define GUEST_SPLIT_H

#include "domains/domains.h"

#include <xen/io/xenbus.h>
#include <xen/io/ring.h>

/* --- xenbus.c --- */
struct front {
    const char *dir;                /* "device/vbd/51712" */
    char back[128];                 /* the other end's directory */
    u16 domid;                      /* and domain */
    u32 port;
};
struct front_node { const char *name; u32 value; };
/* False: there is no such device. */
_Bool front_find(struct front *f, const char *dir);
/* Wait for the other end, write the nodes (which end with a NULL name) and the event channel's, and show that
 * state: a disk is Initialised then, a network Connected. */
void front_connect(struct front *f, const struct front_node *nodes, u32 state);
void front_close(struct front *f);

/* --- the drivers --- */
_Bool disk_open(void);
u32 disk_sectors(void);
/* Count pages of 8 sectors each, from `sector` on; all in one batch of at most 32. */
void disk_transfer(_Bool write, u32 sector, void *const *page, u32 count);
void disk_flush(void);
void disk_close(void);

_Bool net_open(void);
void net_send(const void *frame, u32 len);
/* Wait for one, into frame; its length. */
u32 net_receive(void *frame);
void net_close(void);

#endif
