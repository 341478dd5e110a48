/* SPDX-License-Identifier: MIT */
/*
 * A transaction works on a copy of the whole tree, as the first xenstored did: if anything else has changed by its
 * end, it fails with EAGAIN and the guest starts over. Simple, and never wrong; later ones compare single nodes.
 */
#include <stdlib.h>
#include <string.h>

#include "paravirt/store/store.h"

struct store_transaction *store_transaction_find(struct store *s, u32 id)
{
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (s->transaction[i] && s->transaction[i]->id == id)
            return s->transaction[i];
    return NULL;
}

static u32 id_new(struct store *s)
{
    do
        s->last_id++;
    while (!s->last_id || store_transaction_find(s, s->last_id));
    return s->last_id;
}

int store_transaction_start(struct store *s, u32 *id)
{
    unsigned i = 0;
    while (i < STORE_TRANSACTIONS_MOST && s->transaction[i])
        i++;
    if (i == STORE_TRANSACTIONS_MOST)
        return ENOSPC;
    struct store_transaction *t = calloc(1, sizeof *t);
    struct store_node *root = t ? store_tree_copy(s->root) : NULL;
    if (!root) {
        free(t);
        return ENOMEM;
    }
    t->id = *id = id_new(s);
    t->root = root;
    t->generation = s->generation;
    s->transaction[i] = t;
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

static void transaction_free(struct store *s, struct store_transaction *t)
{
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (s->transaction[i] == t)
            s->transaction[i] = NULL;
    for (u32 i = 0; i < t->nchanges; i++)
        free(t->change[i].path);
    store_tree_free(t->root);
    free(t);
}

/* The copy becomes the tree, and then the watches hear of it. */
static void adopt(struct store *s, struct store_transaction *t)
{
    struct store_node *old = s->root;
    s->root = t->root;
    t->root = old;
    for (u32 i = 0; i < t->nchanges; i++)
        store_changed(s, t->change[i].path, t->change[i].whole);
}

int store_transaction_end(struct store *s, u32 id, bool commit)
{
    struct store_transaction *t = store_transaction_find(s, id);
    if (!t)
        return ENOENT;
    int error = commit && t->generation != s->generation ? EAGAIN : 0;
    if (commit && !error)
        adopt(s, t);
    transaction_free(s, t);
    return error;
}

void store_drop_transactions(struct store *s)
{
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (s->transaction[i])
            transaction_free(s, s->transaction[i]);
}
