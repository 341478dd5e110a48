/* SPDX-License-Identifier: MIT */
#include "devices/net/net_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/net/net_wire.h"

const struct net_backend_ops *const net_backends[] = { &net_user_ops, &net_none_ops, &net_loopback_ops, &net_hub_ops, &net_tap_ops, &net_socket_ops, &net_stream_ops, &net_dgram_ops, &net_wire_ops, NULL };

void *net_backend_new(const struct net_backend_ops *ops, struct net_wire *w, size_t size, struct error *err)
{
    struct net_backend *b = calloc(1, size);
    if (!b) {
        error_set(err, "-netdev %s: no memory", ops->name);
        return NULL;
    }
    b->ops = ops;
    b->wire = w;
    return b;
}

static const struct net_option *find_option(const struct net_option *table, const char *word, size_t len)
{
    for (; table->key; table++)
        if (strlen(table->key) == len && memcmp(table->key, word, len) == 0)
            return table;
    return NULL;
}

static int unknown_option(const char *backend, const struct net_option *table, const char *word, struct error *err)
{
    char keys[256] = "";
    for (; table->key; table++)
        if (strlen(keys) + strlen(table->key) + 3 < sizeof keys)
            sprintf(keys + strlen(keys), "%s%s", *keys ? ", " : "", table->key);
    return error_set(err, "-netdev %s: '%s' is no option of it; there are id%s%s", backend, word, *keys ? ", " : "", keys);
}

int net_take_options(const char *backend, const struct net_option *table, void *target, const char *const *word, unsigned nwords,
                     struct error *err)
{
    for (unsigned i = 0; i < nwords; i++) {
        size_t len = strcspn(word[i], "=");
        const struct net_option *o = find_option(table, word[i], len);
        if (!o || !word[i][len])
            return unknown_option(backend, table, word[i], err);
        if (o->set(target, word[i] + len + 1, err))
            return -1;
    }
    return 0;
}

int net_take_switch(bool *to, const char *backend, const char *key, const char *value, struct error *err)
{
    *to = strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "y") == 0;
    return *to || strcmp(value, "off") == 0 || strcmp(value, "no") == 0 || strcmp(value, "n") == 0
               ? 0 : error_set(err, "-netdev %s: %s=%s: give on or off", backend, key, value);
}
