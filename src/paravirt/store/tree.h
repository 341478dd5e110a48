/* SPDX-License-Identifier: MIT */
/*
 * The store's tree: nodes with a name, a value, permissions and children, in the order in which they were made. Who
 * asks is a domain: domain 0 may everything, others what the nodes' permissions say. Errors are positive, by the
 * names of xs_wire.h.
 */
#ifndef EMU_PARAVIRT_STORE_TREE_H
#define EMU_PARAVIRT_STORE_TREE_H

#include "base/types.h"

#include <errno.h> /* before the next: it names errors only if they are known */
#include <xen/io/xs_wire.h>

/* Quotas of an unprivileged domain, those of xenstored. */
enum { STORE_NODES_MOST = 1000, STORE_VALUE_MOST = 2048, STORE_PERMS_MOST = 5 };

enum { PERM_READ = 1, PERM_WRITE = 2 };

/* The first of a node's names its owner, who may everything, and what those may whom no other entry names. */
struct store_perm { u16 domid; u8 bits; };

struct store_node {
    char *name;
    u8 *value; u32 len;             /* followed by a NUL that does not count */
    struct store_perm perm[STORE_PERMS_MOST]; unsigned nperms;
    struct store_node **child; u32 nchildren;
};

struct store_node *store_tree_new(void); /* the root; NULL when there is no memory */
void store_tree_free(struct store_node *root);
struct store_node *store_tree_copy(const struct store_node *root);

/* An absolute path by xenstore's rules: starts with '/', allowed characters, no empty parts, not too long. */
bool store_path_ok(const char *path);
/* The node, or NULL. */
struct store_node *store_find(struct store_node *root, const char *path);
bool store_may(const struct store_node *n, u16 domid, u8 bits);
/* May domid know of that path? If it is not there, what is above it says. */
bool store_may_see(struct store_node *root, u16 domid, const char *path);

/* 0 and *n, or ENOENT or EACCES. */
int store_get(struct store_node *root, u16 domid, const char *path, u8 bits, struct store_node **n);
/* Make it, with all that is missing above it. value NULL: leave what is there (MKDIR). */
int store_set(struct store_node *root, u16 domid, const char *path, const void *value, u32 len);
int store_remove(struct store_node *root, u16 domid, const char *path);
int store_set_perms(struct store_node *root, u16 domid, const char *path, const struct store_perm *perm, unsigned n);

#endif
