/* SPDX-License-Identifier: MIT */
/* The whole of it, and what domain 0 does in it. */
#include "paravirt/store/store.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool store_init(struct store *s)
{
    *s = (struct store){ .root = store_tree_new() };
    return s->root;
}

void store_fini(struct store *s)
{
    store_unwatch_own(s, NULL);
    free(s->watch);
    store_tree_free(s->root);
    *s = (struct store){ 0 };
}

void store_reset_guest(struct store_guest *g)
{
    store_drop_watches(g);
    store_drop_transactions(g);
}

void store_introduce(struct store *s, struct store_guest *g, u16 domid)
{
    *g = (struct store_guest){ .store = s, .domid = domid };
    snprintf(g->home, sizeof g->home, "/local/domain/%u/", domid);
}

void store_release(struct store_guest *g)
{
    if (g->store)
        store_reset_guest(g);
    free(g->out);
    *g = (struct store_guest){ .dead = true };
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
