/* SPDX-License-Identifier: MIT */
/*
 * A transaction works on a copy of the whole tree, as the first xenstored did: if anything else has changed by its
 * end, it fails with EAGAIN and the guest starts over. Simple, and never wrong; later ones compare single nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "paravirt/store/store.h"

struct store_transaction *store_transaction_find(struct store_guest *g, u32 id)
{
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (g->transaction[i] && g->transaction[i]->id == id)
            return g->transaction[i];
    return NULL;
}

static u32 id_new(struct store_guest *g)
{
    do
        g->last_id++;
    while (!g->last_id || store_transaction_find(g, g->last_id));
    return g->last_id;
}

int store_transaction_start(struct store_guest *g, u32 *id)
{
    unsigned i = 0;
    while (i < STORE_TRANSACTIONS_MOST && g->transaction[i])
        i++;
    if (i == STORE_TRANSACTIONS_MOST)
        return ENOSPC;
    struct store_transaction *t = calloc(1, sizeof *t);
    struct store_node *root = t ? store_tree_copy(g->store->root) : NULL;
    if (!root) {
        free(t);
        return ENOMEM;
    }
    t->id = *id = id_new(g);
    t->root = root;
    t->generation = g->store->generation;
    g->transaction[i] = t;
    return 0;
}

int store_transaction_note(struct store_transaction *t, const char *path, bool whole)
{
    if (t->nchanges == STORE_CHANGES_MOST)
        return ENOSPC;
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    t->change[t->nchanges].path = copy;
    t->change[t->nchanges++].whole = whole;
    return 0;
}

static void transaction_free(struct store_guest *g, struct store_transaction *t)
{
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (g->transaction[i] == t)
            g->transaction[i] = NULL;
    for (u32 i = 0; i < t->nchanges; i++)
        free(t->change[i].path);
    store_tree_free(t->root);
    free(t);
}

/* The copy becomes the tree, and then the watches hear of it. */
static void adopt(struct store_guest *g, struct store_transaction *t)
{
    struct store *s = g->store;
    struct store_node *old = s->root;
    s->root = t->root;
    t->root = old;
    for (u32 i = 0; i < t->nchanges; i++)
        store_changed(s, t->change[i].path, t->change[i].whole);
}

int store_transaction_end(struct store_guest *g, u32 id, bool commit)
{
    struct store_transaction *t = store_transaction_find(g, id);
    if (!t)
        return ENOENT;
    int error = commit && t->generation != g->store->generation ? EAGAIN : 0;
    if (commit && !error)
        adopt(g, t);
    transaction_free(g, t);
    return error;
}

void store_drop_transactions(struct store_guest *g)
{
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (g->transaction[i])
            transaction_free(g, g->transaction[i]);
}
