/* SPDX-License-Identifier: MIT */
/*
 * The store: a tree of small texts by which domains find one another's devices. xenstored lives in domain 0; here it
 * is modelled, with two kinds that speak to it: guests, each over two rings in a page of its own, and domain 0's
 * drivers, by calls.
 *
 *     tree.c           nodes, paths, permissions, quotas of nodes
 *     watch.c          who hears of a change
 *     transaction.c    several changes at once, or none
 *     store.c          domain 0's side
 *     request.c        the guest's messages, one function each
 *     ring.c           bytes in, bytes out
 */
#ifndef EMU_PARAVIRT_STORE_H
#define EMU_PARAVIRT_STORE_H

#include "paravirt/store/tree.h"

/* Quotas of the guest, those of xenstored. */
enum { STORE_WATCHES_MOST = 128, STORE_TRANSACTIONS_MOST = 10, STORE_CHANGES_MOST = 1024 };
enum { STORE_OUT_MOST = 1 << 20 };  /* bytes that wait for a guest that does not read */

struct store;
struct store_guest;

struct store_watch {
    char *path;                     /* absolute, or a special name that begins with '@' */
    struct store_guest *guest;      /* who set it; NULL: domain 0, */
    char *token;                    /* the guest's */
    void (*fire)(void *opaque);     /* or called for domain 0, never from within a change, but soon */
    void *opaque;
    bool relative;                  /* the guest named it from its home, and hears of it so */
    bool due;
};

/* A private copy of the tree, and what was changed in it. */
struct store_transaction {
    u32 id;                         /* 0: free */
    struct store_node *root;
    u64 generation;                 /* of the tree when it was copied */
    struct { char *path; bool whole; } change[STORE_CHANGES_MOST]; /* whole: with all that was below */
    u32 nchanges;
};

struct store {
    struct store_node *root;
    u64 generation;                 /* counts all changes */
    struct store_watch *watch; u32 nwatches;
};

/* A domain that speaks to it. Its storage is the domain's. */
struct store_guest {
    struct store *store;            /* NULL: not introduced */
    u16 domid;
    char home[24];                  /* its path, with a slash at the end */
    u32 watches;                    /* that it has set */
    struct store_transaction *transaction[STORE_TRANSACTIONS_MOST];
    u32 last_id;
    struct { struct xsd_sockmsg head; u8 payload[XENSTORE_PAYLOAD_MAX + 1]; } in; /* a NUL behind the longest */
    u32 have;                       /* bytes of the request that have come */
    u8 *out; u32 out_len, out_done; /* replies and events that wait for room in the ring */
    bool dead;                      /* the guest broke the protocol: nobody listens any more */
    u64 requests;                   /* that were served */
};

/* False: no memory. */
bool store_init(struct store *s);
void store_fini(struct store *s);   /* after its guests have gone */
void store_introduce(struct store *s, struct store_guest *g, u16 domid);
/* Its watches, transactions and whatever waits for it go; what it wrote stays. */
void store_release(struct store_guest *g);

/* Answer what is in the ring as far as there is room. True: the guest must be told. */
bool store_serve(struct store_guest *g, struct xenstore_domain_interface *ring);
/* Events that others have caused. True: the guest must be told. */
bool store_deliver(struct store_guest *g, struct xenstore_domain_interface *ring);
/* Call domain 0's watches that are due, until none is. */
void store_run_watches(struct store *s);

/* --- for domain 0: it may everything --- */
void store_put(struct store *s, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The value as text, valid until it changes; NULL: there is none. */
const char *store_text(struct store *s, const char *path);
/* A number in decimal. False: there is none. */
bool store_number(struct store *s, const char *path, u32 *value);
void store_drop(struct store *s, const char *path);
/* The node belongs to `owner`; `other` may what bits say, the rest nothing. */
void store_own(struct store *s, const char *path, u16 owner, u16 other, u8 bits);
bool store_watch_own(struct store *s, const char *path, void (*fire)(void *opaque), void *opaque);
void store_unwatch_own(struct store *s, const void *opaque);    /* all that were set with it */

/* --- inside --- */
void store_changed(struct store *s, const char *path, bool whole);
struct store_transaction *store_transaction_find(struct store_guest *g, u32 id);
int store_transaction_start(struct store_guest *g, u32 *id);
int store_transaction_end(struct store_guest *g, u32 id, bool commit);
int store_transaction_note(struct store_transaction *t, const char *path, bool whole);
/* The guest's watch. Path as it was given. */
int store_watch_add(struct store_guest *g, const char *path, bool relative, const char *token);
int store_watch_drop(struct store_guest *g, const char *path, const char *token);
void store_drop_watches(struct store_guest *g);
void store_drop_transactions(struct store_guest *g);
void store_reset_guest(struct store_guest *g); /* its watches and transactions go */
/* Tell the guest of a change that a watch was set on, or of the watch itself. */
void store_event(const struct store_watch *w, const char *path);
void store_send(struct store_guest *g, const struct xsd_sockmsg *head, const void *payload);
void store_request(struct store_guest *g);

#endif
