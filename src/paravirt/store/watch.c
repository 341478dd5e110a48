/* SPDX-License-Identifier: MIT */
/* Watches: who set one on a path hears of everything at it and below it, and of the removal of anything above. */
#include <stdlib.h>
#include <string.h>

#include "paravirt/store/store.h"

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
        if (!w->guest)
            w->due = true;
        else if (store_may_see(s->root, w->guest->domid, told))
            store_event(w, told);
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
    if (s->watch[i].guest)
        s->watch[i].guest->watches--;
    free(s->watch[i].path);
    free(s->watch[i].token);
    memmove(s->watch + i, s->watch + i + 1, (--s->nwatches - i) * sizeof *s->watch);
}

static u32 watch_find(const struct store_guest *g, const char *path, const char *token)
{
    const struct store *s = g->store;
    for (u32 i = 0; i < s->nwatches; i++) {
        const struct store_watch *w = &s->watch[i];
        if (w->guest == g && strcmp(w->path, path) == 0 && strcmp(w->token, token) == 0)
            return i;
    }
    return s->nwatches;
}

int store_watch_add(struct store_guest *g, const char *path, bool relative, const char *token)
{
    if (watch_find(g, path, token) < g->store->nwatches)
        return EEXIST;
    if (g->watches == STORE_WATCHES_MOST)
        return E2BIG;
    char *copy = strdup(token);
    struct store_watch *w = copy ? watch_new(g->store, path) : NULL;
    if (!w) {
        free(copy);
        return ENOMEM;
    }
    w->token = copy;
    w->relative = relative;
    w->guest = g;
    g->watches++;
    return 0;
}

int store_watch_drop(struct store_guest *g, const char *path, const char *token)
{
    u32 i = watch_find(g, path, token);
    if (i == g->store->nwatches)
        return ENOENT;
    watch_free(g->store, i);
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

void store_drop_watches(struct store_guest *g)
{
    for (u32 i = g->store->nwatches; i-- > 0;)
        if (g->store->watch[i].guest == g)
            watch_free(g->store, i);
}

void store_unwatch_own(struct store *s, const void *opaque)
{
    for (u32 i = s->nwatches; i-- > 0;)
        if (!s->watch[i].guest && (!opaque || s->watch[i].opaque == opaque))
            watch_free(s, i);
}
