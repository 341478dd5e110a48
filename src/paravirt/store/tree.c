/* SPDX-License-Identifier: MIT */
#include "paravirt/store/tree.h"

#include <stdlib.h>
#include <string.h>

/* --- nodes --- */

static struct store_node *node_new(const char *name, size_t len)
{
    struct store_node *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->name = strndup(name, len);
    n->value = calloc(1, 1);
    if (n->name && n->value)
        return n;
    store_tree_free(n);
    return NULL;
}

struct store_node *store_tree_new(void)
{
    struct store_node *root = node_new("", 0);
    if (root) {
        root->perm[0] = (struct store_perm){ 0, 0 }; /* nobody else sees what is not given to him */
        root->nperms = 1;
    }
    return root;
}

/* Paths are short, so trees are not deep: XENSTORE_ABS_PATH_MAX / 2 levels. */
void store_tree_free(struct store_node *n)
{
    if (!n)
        return;
    for (u32 i = 0; i < n->nchildren; i++)
        store_tree_free(n->child[i]);
    free(n->child);
    free(n->value);
    free(n->name);
    free(n);
}

static bool value_set(struct store_node *n, const void *value, u32 len)
{
    u8 *copy = malloc(len + 1);
    if (!copy)
        return false;
    memcpy(copy, value, len);
    copy[len] = 0;
    free(n->value);
    n->value = copy;
    n->len = len;
    return true;
}

static bool child_add(struct store_node *n, struct store_node *child)
{
    struct store_node **more = child ? realloc(n->child, (n->nchildren + 1) * sizeof *more) : NULL;
    if (!more)
        return false;
    n->child = more;
    n->child[n->nchildren++] = child;
    return true;
}

struct store_node *store_tree_copy(const struct store_node *from)
{
    struct store_node *n = node_new(from->name, strlen(from->name));
    if (!n || !value_set(n, from->value, from->len)) {
        store_tree_free(n);
        return NULL;
    }
    memcpy(n->perm, from->perm, sizeof n->perm);
    n->nperms = from->nperms;
    for (u32 i = 0; i < from->nchildren; i++)
        if (!child_add(n, store_tree_copy(from->child[i]))) {
            store_tree_free(n);
            return NULL;
        }
    return n;
}

/* --- paths --- */

bool store_path_ok(const char *path)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@";
    size_t len = strlen(path);
    return path[0] == '/' && len < XENSTORE_ABS_PATH_MAX && strspn(path, allowed) == len && !strstr(path, "//") &&
           (len == 1 || path[len - 1] != '/');
}

/* The next part of a path, and its length; NULL at the end. */
static const char *part(const char *path, size_t *len)
{
    path += *path == '/';
    *len = strcspn(path, "/");
    return *len ? path : NULL;
}

static u32 child_index(const struct store_node *n, const char *name, size_t len)
{
    u32 i = 0;
    while (i < n->nchildren && (strlen(n->child[i]->name) != len || memcmp(n->child[i]->name, name, len)))
        i++;
    return i;
}

/* As far down as there are nodes; *rest is what is left of the path, *above the node one up. */
static struct store_node *descend(struct store_node *n, const char *path, const char **rest, struct store_node **above)
{
    size_t len;
    const char *p;
    *above = NULL;
    while ((p = part(path, &len))) {
        u32 i = child_index(n, p, len);
        if (i == n->nchildren)
            break;
        *above = n;
        n = n->child[i];
        path = p + len;
    }
    *rest = p ? p : "";
    return n;
}

struct store_node *store_find(struct store_node *root, const char *path)
{
    const char *rest;
    struct store_node *above, *n = descend(root, path, &rest, &above);
    return *rest ? NULL : n;
}

/* --- permissions and quotas --- */

bool store_may(const struct store_node *n, u16 domid, u8 bits)
{
    if (domid == 0 || n->perm[0].domid == domid)
        return true;
    for (unsigned i = 1; i < n->nperms; i++)
        if (n->perm[i].domid == domid)
            return (n->perm[i].bits & bits) == bits;
    return (n->perm[0].bits & bits) == bits;
}

bool store_may_see(struct store_node *root, u16 domid, const char *path)
{
    const char *rest;
    struct store_node *above;
    return store_may(descend(root, path, &rest, &above), domid, PERM_READ);
}

static u32 nodes_owned(const struct store_node *n, u16 domid)
{
    u32 sum = n->perm[0].domid == domid;
    for (u32 i = 0; i < n->nchildren; i++)
        sum += nodes_owned(n->child[i], domid);
    return sum;
}

/* --- the operations --- */

/* That something is not there is told only to those who may look into what is above. */
int store_get(struct store_node *root, u16 domid, const char *path, u8 bits, struct store_node **n)
{
    const char *rest;
    struct store_node *above;
    *n = descend(root, path, &rest, &above);
    if (*rest)
        return store_may(*n, domid, PERM_READ) ? ENOENT : EACCES;
    return store_may(*n, domid, bits) ? 0 : EACCES;
}

/* A new node has its parent's permissions, but belongs to who made it. */
static struct store_node *make(struct store_node *parent, u16 domid, const char *name, size_t len)
{
    struct store_node *n = node_new(name, len);
    if (!n)
        return NULL;
    memcpy(n->perm, parent->perm, sizeof n->perm);
    n->nperms = parent->nperms;
    if (domid)
        n->perm[0].domid = domid;
    if (child_add(parent, n))
        return n;
    store_tree_free(n);
    return NULL;
}

static u32 parts_of(const char *path)
{
    u32 n = 0;
    size_t len;
    for (const char *p = path; (p = part(p, &len)); p += len)
        n++;
    return n;
}

static int make_missing(struct store_node *root, u16 domid, struct store_node **n, const char *rest)
{
    size_t len;
    if (domid && nodes_owned(root, domid) + parts_of(rest) > STORE_NODES_MOST)
        return ENOSPC;
    for (const char *p = rest; (p = part(p, &len)); p += len)
        if (!(*n = make(*n, domid, p, len)))
            return ENOMEM;
    return 0;
}

int store_set(struct store_node *root, u16 domid, const char *path, const void *value, u32 len)
{
    const char *rest;
    struct store_node *above, *n = descend(root, path, &rest, &above);
    if (!store_may(n, domid, PERM_WRITE) && (value || *rest))
        return EACCES;
    if (domid && len > STORE_VALUE_MOST)
        return ENOSPC;
    int error = make_missing(root, domid, &n, rest);
    if (error)
        return error;
    return !value || value_set(n, value, len) ? 0 : ENOMEM;
}

int store_remove(struct store_node *root, u16 domid, const char *path)
{
    const char *rest;
    size_t len;
    struct store_node *above, *n = descend(root, path, &rest, &above);
    if (*rest) { /* gone already is well, if what it was in is there */
        const char *p = part(rest, &len);
        return !store_may(n, domid, PERM_READ) ? EACCES : p[len] ? ENOENT : 0;
    }
    if (!above)
        return EINVAL; /* the root */
    if (!store_may(n, domid, PERM_WRITE))
        return EACCES;
    u32 i = child_index(above, n->name, strlen(n->name));
    memmove(above->child + i, above->child + i + 1, (--above->nchildren - i) * sizeof *above->child);
    store_tree_free(n);
    return 0;
}

/* Only the owner may, and may not give the node away. */
int store_set_perms(struct store_node *root, u16 domid, const char *path, const struct store_perm *perm,
                    unsigned nperms)
{
    struct store_node *n;
    int error = store_get(root, domid, path, PERM_WRITE, &n);
    if (error)
        return error;
    if (nperms > STORE_PERMS_MOST)
        return ENOSPC;
    if (domid && n->perm[0].domid != domid)
        return EACCES;
    if (domid && perm[0].domid != domid)
        return EPERM;
    memcpy(n->perm, perm, nperms * sizeof *perm);
    n->nperms = nperms;
    return 0;
}
