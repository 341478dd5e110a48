/* SPDX-License-Identifier: MIT */
/*
 * What follows a change. A watch on a path hears of everything at it and below it, and of the removal of anything above.
 *
 * A transaction works on a copy of the whole tree, as the first xenstored did: if anything else has changed by its end, it fails
 * with EAGAIN and the guest starts over. Simple, and never wrong; later ones compare single nodes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paravirt/store/store.h"

/* --- watches --- */

static bool at_or_below(const char *path, const char *top)
{
    size_t len = strlen(top);
    return strcmp(top, "/") == 0 || (strncmp(path, top, len) == 0 && (path[len] == '/' || !path[len]));
}

void store_changed(struct store *s, const char *path, bool whole)
{
    s->generation++;
    for (u32 i = 0; i < s->nwatches; i++) {
        struct store_watch *w = &s->watch[i];
        bool above = whole && at_or_below(w->path, path);
        if (!above && !at_or_below(path, w->path))
            continue;
        const char *told = above ? w->path : path;
        if (!w->token)
            w->due = true;
        else if (store_may_see(s->root, s->domid, told))
            store_event(s, w, told);
    }
}

static struct store_watch *watch_new(struct store *s, const char *path)
{
    struct store_watch *more = realloc(s->watch, (s->nwatches + 1) * sizeof *more);
    if (!more)
        return NULL;
    s->watch = more;
    struct store_watch *w = &s->watch[s->nwatches];
    *w = (struct store_watch){ .path = strdup(path) };
    s->nwatches += w->path != NULL;
    return w->path ? w : NULL;
}

static void watch_free(struct store *s, u32 i)
{
    s->guest_watches -= s->watch[i].token != NULL;
    free(s->watch[i].path);
    free(s->watch[i].token);
    memmove(s->watch + i, s->watch + i + 1, (--s->nwatches - i) * sizeof *s->watch);
}

static u32 watch_find(const struct store *s, const char *path, const char *token)
{
    u32 i = 0;
    while (i < s->nwatches && !(s->watch[i].token && strcmp(s->watch[i].path, path) == 0 && strcmp(s->watch[i].token, token) == 0))
        i++;
    return i;
}

int store_watch_add(struct store *s, const char *path, bool relative, const char *token)
{
    if (watch_find(s, path, token) < s->nwatches)
        return EEXIST;
    if (s->guest_watches == STORE_WATCHES_MOST)
        return E2BIG;
    char *copy = strdup(token);
    struct store_watch *w = copy ? watch_new(s, path) : NULL;
    if (!w) {
        free(copy);
        return ENOMEM;
    }
    w->token = copy;
    w->relative = relative;
    s->guest_watches++;
    return 0;
}

int store_watch_drop(struct store *s, const char *path, const char *token)
{
    u32 i = watch_find(s, path, token);
    if (i == s->nwatches)
        return ENOENT;
    watch_free(s, i);
    return 0;
}

bool store_watch_own(struct store *s, const char *path, void (*fire)(void *opaque), void *opaque)
{
    struct store_watch *w = watch_new(s, path);
    if (!w)
        return false;
    w->fire = fire;
    w->opaque = opaque;
    w->due = true; /* a watch fires once when it is set */
    return true;
}

#define ROUNDS_MOST 64 /* state machines that answer one another come to rest long before */

void store_run_watches(struct store *s)
{
    bool any = true;
    for (unsigned round = 0; any && round < ROUNDS_MOST; round++) {
        any = false;
        for (u32 i = 0; i < s->nwatches; i++)
            if (s->watch[i].due) {
                s->watch[i].due = false;
                any = true;
                s->watch[i].fire(s->watch[i].opaque);
            }
    }
}

/* --- transactions --- */

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

/* --- domain 0 --- */

void store_put(struct store *s, const char *path, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (store_set(s->root, 0, path, text, len < (int)sizeof text ? len : (int)sizeof text - 1) == 0)
        store_changed(s, path, false);
}

const char *store_text(struct store *s, const char *path)
{
    struct store_node *n = store_find(s->root, path);
    return n ? (const char *)n->value : NULL;
}

bool store_number(struct store *s, const char *path, u32 *value)
{
    const char *text = store_text(s, path);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return false;
    unsigned long long n = strtoull(text, &end, 10);
    *value = n;
    return !*end && n <= UINT32_MAX;
}

void store_drop(struct store *s, const char *path)
{
    if (store_find(s->root, path) && store_remove(s->root, 0, path) == 0)
        store_changed(s, path, true);
}

void store_own(struct store *s, const char *path, u16 owner, u16 other, u8 bits)
{
    struct store_perm perm[2] = { { owner, 0 }, { other, bits } };
    if (store_set_perms(s->root, 0, path, perm, 2) == 0)
        store_changed(s, path, false);
}

/* --- all of it --- */

bool store_init(struct store *s, u16 domid)
{
    *s = (struct store){ .domid = domid, .root = store_tree_new() };
    snprintf(s->home, sizeof s->home, "/local/domain/%u/", domid);
    return s->root;
}

void store_reset_guest(struct store *s)
{
    for (u32 i = s->nwatches; i-- > 0;)
        if (s->watch[i].token)
            watch_free(s, i);
    for (unsigned i = 0; i < STORE_TRANSACTIONS_MOST; i++)
        if (s->transaction[i])
            transaction_free(s, s->transaction[i]);
}

void store_fini(struct store *s)
{
    store_reset_guest(s);
    while (s->nwatches)
        watch_free(s, s->nwatches - 1);
    free(s->watch);
    free(s->out);
    store_tree_free(s->root);
    *s = (struct store){ 0 };
}
