/* SPDX-License-Identifier: MIT */
/*
 * A front-end's tools: the store, grants, event channels, the handshake, and the two drivers. One call at a time; what
 * fails panics.
 */
#ifndef GUEST_SPLIT_H
#define GUEST_SPLIT_H

#include "kernel.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/sched.h>
#include <xen/io/xenbus.h>

void *memset(void *to, int c, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);
#define xen_mb() __asm__ volatile("lock; orl $0, (%%esp)" : : : "memory")
#define xen_rmb() __asm__ volatile("" : : : "memory")
#define xen_wmb() __asm__ volatile("" : : : "memory")
#include <xen/io/ring.h>

/* --- store.c: paths from the guest's home, or absolute --- */
void store_start(void);
/* The value into buf, ended; false: there is none. */
_Bool store_read(const char *path, char *buf, u32 size);
u32 store_read_number(const char *path); /* panics when there is none */
/* tx: a transaction, or 0. */
void store_write(u32 tx, const char *path, const char *value);
void store_write_number(u32 tx, const char *path, u32 value);
u32 store_begin(void);
_Bool store_commit(u32 tx); /* false: something else changed, start over */
/* dir/node */
const char *store_join(char buf[128], const char *dir, const char *node);

/* --- share.c --- */
void share_start(void);
/* Domain `domid` may use the page from now on; the grant's number. */
u32 share_grant(const void *page, u16 domid, _Bool readonly);
/* Take it back. False: it is still in use. */
_Bool share_revoke(u32 ref);
u32 event_new(u16 domid);           /* a port for that domain to bind */
void event_notify(u32 port);
void event_wait(u32 port);          /* until it is pending, and clear it */

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
