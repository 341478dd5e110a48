/* SPDX-License-Identifier: MIT */
/* What domains need to deal with one another: the store, grants, event channels. One call at a time; what fails panics. */
#ifndef GUEST_DOMAINS_H
#define GUEST_DOMAINS_H

#include "kernel.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/sched.h>

void *memset(void *to, int c, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);
#define xen_mb() __asm__ volatile("lock; orl $0, (%%esp)" : : : "memory")
#define xen_rmb() __asm__ volatile("" : : : "memory")
#define xen_wmb() __asm__ volatile("" : : : "memory")

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
/* The node is made, if it is missing, and domain `domid` may read it and whatever is made below it from now on. */
void store_show(const char *path, u16 domid);
/* dir/node */
const char *store_join(char buf[128], const char *dir, const char *node);

/* --- share.c --- */
void share_start(void);
/* Our own number, as the store says it. */
u16 share_self(void);
/* Domain `domid` may use the page from now on; the grant's number. */
u32 share_grant(const void *page, u16 domid, _Bool readonly);
/* Take it back. False: it is still in use. */
_Bool share_revoke(u32 ref);
/* Map a grant of that domain's over our page: what was there is lost. The status, GNTST_*; *handle gives it back. */
int share_map(u16 domid, u32 ref, void *page, u32 *handle);
int share_unmap(void *page, u32 handle);
/* Copy len bytes from the beginning of what that domain granted. GNTST_*. */
int share_copy(u16 domid, u32 ref, void *to, u32 len);

u32 event_new(u16 domid);           /* a port for that domain to bind */
u32 event_bind(u16 domid, u32 port);/* ours, connected to that of the domain's; 0: refused */
void event_close(u32 port);
void event_notify(u32 port);
void event_wait(u32 port);          /* until it is pending, and clear it */

#endif
