/* SPDX-License-Identifier: MIT */
/* The guest's messages: a header, then texts with a NUL each; only a value that is written has none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paravirt/store/store.h"

#define PATH_MOST XENSTORE_ABS_PATH_MAX
_Static_assert(XENSTORE_REL_PATH_MAX + 32 <= PATH_MOST, "a relative path and the home before it fit");

/* A message, taken apart. */
struct request {
    struct store_guest *g;          /* who asks */
    struct store_transaction *t;    /* NULL: outside of any */
    struct store_node *root;        /* the tree that it is about */
    char path[PATH_MOST];           /* of the first text, absolute */
    bool relative;
    const char *text;               /* the first text */
    const u8 *rest; u32 rest_len;   /* what follows it */
};

/* --- replies --- */

static void reply(struct request *r, const void *payload, u32 len)
{
    struct xsd_sockmsg h = r->g->in.head;
    h.len = len;
    store_send(r->g, &h, payload);
}

static int reply_text(struct request *r, const char *text)
{
    reply(r, text, strlen(text) + 1);
    return 0;
}

static int reply_ok(struct request *r) { return reply_text(r, "OK"); }

static void reply_error(struct store_guest *g, int error)
{
    const char *name = "EIO";
    for (unsigned i = 0; i < ARRAY_LEN(xsd_errors); i++)
        if (xsd_errors[i].errnum == error)
            name = xsd_errors[i].errstring;
    struct xsd_sockmsg h = g->in.head;
    h.type = XS_ERROR;
    h.len = strlen(name) + 1;
    store_send(g, &h, name);
}

/* --- nodes: 0 after a reply, or an error --- */

static int do_directory(struct request *r)
{
    struct store_node *n;
    char list[XENSTORE_PAYLOAD_MAX];
    u32 len = 0;
    int error = store_get(r->root, r->g->domid, r->path, PERM_READ, &n);
    for (u32 i = 0; !error && i < n->nchildren; i++) {
        size_t size = strlen(n->child[i]->name) + 1;
        if (len + size > sizeof list)
            return E2BIG;
        memcpy(list + len, n->child[i]->name, size);
        len += size;
    }
    if (!error)
        reply(r, list, len);
    return error;
}

static int do_read(struct request *r)
{
    struct store_node *n;
    int error = store_get(r->root, r->g->domid, r->path, PERM_READ, &n);
    if (!error && n->len > XENSTORE_PAYLOAD_MAX)
        return E2BIG;
    if (!error)
        reply(r, n->value, n->len);
    return error;
}

/* A change was made: the watches hear of it now, or when its transaction ends well. */
static int changed(struct request *r, bool whole)
{
    if (r->t)
        return store_transaction_note(r->t, r->path, whole);
    store_changed(r->g->store, r->path, whole);
    return 0;
}

static int done(struct request *r, int error, bool whole)
{
    if (!error)
        error = changed(r, whole);
    return error ? error : reply_ok(r);
}

static int do_write(struct request *r)
{
    return done(r, store_set(r->root, r->g->domid, r->path, r->rest, r->rest_len), false);
}

static int do_mkdir(struct request *r)
{
    if (store_find(r->root, r->path))
        return store_may_see(r->root, r->g->domid, r->path) ? reply_ok(r) : EACCES;
    return done(r, store_set(r->root, r->g->domid, r->path, NULL, 0), false);
}

static int do_rm(struct request *r)
{
    bool was = store_find(r->root, r->path);
    int error = store_remove(r->root, r->g->domid, r->path);
    return was || error ? done(r, error, true) : reply_ok(r);
}

/* --- permissions: "n", "r", "w" or "b" for both, and the domain --- */

static const char letters[] = "nrwb";

static int do_get_perms(struct request *r)
{
    struct store_node *n;
    char list[STORE_PERMS_MOST * 8];
    u32 len = 0;
    int error = store_get(r->root, r->g->domid, r->path, PERM_READ, &n);
    for (unsigned i = 0; !error && i < n->nperms; i++)
        len += sprintf(list + len, "%c%u", letters[n->perm[i].bits], n->perm[i].domid) + 1;
    if (!error)
        reply(r, list, len);
    return error;
}

static bool parse_domid(const char *text, u16 *domid)
{
    char *end;
    unsigned long n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : ~0ul;
    *domid = n;
    return n <= 0x7fff && !*end;
}

static bool parse_perm(const char *text, struct store_perm *p)
{
    const char *letter = *text ? strchr(letters, *text) : NULL;
    p->bits = letter ? letter - letters : 0;
    return letter && parse_domid(text + 1, &p->domid);
}

static int do_set_perms(struct request *r)
{
    struct store_perm perm[STORE_PERMS_MOST];
    unsigned n = 0;
    if (!r->rest_len || r->rest[r->rest_len - 1])
        return EINVAL;
    for (const char *p = (const char *)r->rest, *end = p + r->rest_len; p < end; p += strlen(p) + 1) {
        if (n == STORE_PERMS_MOST)
            return ENOSPC;
        if (!parse_perm(p, &perm[n++]))
            return EINVAL;
    }
    return done(r, store_set_perms(r->root, r->g->domid, r->path, perm, n), false);
}

/* --- watches --- */

static const char *token_of(const struct request *r)
{
    return r->rest_len && memchr(r->rest, 0, r->rest_len) == r->rest + r->rest_len - 1 ? (const char *)r->rest : NULL;
}

/* It fires once when it is set: so its owner looks at what is there already. */
static int do_watch(struct request *r)
{
    const char *token = token_of(r);
    int error = token ? store_watch_add(r->g, r->path, r->relative, token) : EINVAL;
    if (error)
        return error;
    reply_ok(r);
    store_event(&r->g->store->watch[r->g->store->nwatches - 1], r->path);
    return 0;
}

static int do_unwatch(struct request *r)
{
    const char *token = token_of(r);
    int error = token ? store_watch_drop(r->g, r->path, token) : EINVAL;
    return error ? error : reply_ok(r);
}

static int do_reset_watches(struct request *r)
{
    store_reset_guest(r->g);
    return reply_ok(r);
}

/* --- transactions --- */

static int do_transaction_start(struct request *r)
{
    char text[16];
    u32 id;
    if (r->t)
        return EBUSY; /* none within another */
    int error = store_transaction_start(r->g, &id);
    if (error)
        return error;
    snprintf(text, sizeof text, "%u", id);
    return reply_text(r, text);
}

static int do_transaction_end(struct request *r)
{
    bool commit = strcmp(r->text, "T") == 0;
    if (!commit && strcmp(r->text, "F"))
        return EINVAL;
    if (!r->t)
        return ENOENT;
    int error = store_transaction_end(r->g, r->t->id, commit);
    return error ? error : reply_ok(r);
}

/* --- domains --- */

static int do_get_domain_path(struct request *r)
{
    char text[32];
    u16 domid;
    if (!parse_domid(r->text, &domid))
        return EINVAL;
    snprintf(text, sizeof text, "/local/domain/%u", domid);
    return reply_text(r, text);
}

static int do_is_domain_introduced(struct request *r)
{
    u16 domid;
    if (!parse_domid(r->text, &domid))
        return EINVAL;
    char path[32];
    snprintf(path, sizeof path, "/local/domain/%u", domid);
    return reply_text(r, domid == 0 || store_find(r->g->store->root, path) ? "T" : "F");
}

static int do_for_domain_0(struct request *r) { return EACCES; }

/* --- dispatch --- */

enum { ARG_PATH = 1, ARG_SPECIAL = 2 /* a path, or a name with '@' */, ARG_TEXT = 3 };
struct message { int (*handler)(struct request *r); u8 arg; };

static const struct message messages[XS_TYPE_COUNT] = {
    [XS_CONTROL] = { do_for_domain_0 }, [XS_DIRECTORY] = { do_directory, ARG_PATH }, [XS_READ] = { do_read, ARG_PATH },
    [XS_GET_PERMS] = { do_get_perms, ARG_PATH },
    [XS_WATCH] = { do_watch, ARG_SPECIAL }, [XS_UNWATCH] = { do_unwatch, ARG_SPECIAL },
    [XS_TRANSACTION_START] = { do_transaction_start, ARG_TEXT },
    [XS_TRANSACTION_END] = { do_transaction_end, ARG_TEXT },
    [XS_INTRODUCE] = { do_for_domain_0 }, [XS_RELEASE] = { do_for_domain_0 }, [XS_RESUME] = { do_for_domain_0 },
    [XS_SET_TARGET] = { do_for_domain_0 }, [XS_GET_DOMAIN_PATH] = { do_get_domain_path, ARG_TEXT },
    [XS_WRITE] = { do_write, ARG_PATH }, [XS_MKDIR] = { do_mkdir, ARG_PATH }, [XS_RM] = { do_rm, ARG_PATH },
    [XS_SET_PERMS] = { do_set_perms, ARG_PATH }, [XS_IS_DOMAIN_INTRODUCED] = { do_is_domain_introduced, ARG_TEXT },
    [XS_RESET_WATCHES] = { do_reset_watches, ARG_TEXT },
};

/* A path may be given from the guest's home, and with a slash too many at its end. */
static bool take_path(struct request *r, bool special)
{
    size_t len = strlen(r->text);
    bool absolute = *r->text == '/' || (special && *r->text == '@');
    if (!len || len >= (absolute ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX))
        return false;
    r->relative = !absolute;
    len = snprintf(r->path, sizeof r->path, "%s%s", absolute ? "" : r->g->home, r->text);
    if (len > 1 && r->path[len - 1] == '/')
        r->path[len - 1] = 0;
    return *r->path == '@' || store_path_ok(r->path);
}

static int take_arguments(struct request *r, u8 arg)
{
    u8 *payload = r->g->in.payload;
    u32 len = r->g->in.head.len;
    if (!arg)
        return 0;
    u8 *end = memchr(payload, 0, len);
    if (!end)
        return EINVAL;
    r->text = (const char *)payload;
    r->rest = end + 1;
    r->rest_len = payload + len - r->rest;
    return arg == ARG_TEXT || take_path(r, arg == ARG_SPECIAL) ? 0 : EINVAL;
}

static int take_transaction(struct request *r)
{
    u32 id = r->g->in.head.tx_id;
    r->t = id ? store_transaction_find(r->g, id) : NULL;
    r->root = r->t ? r->t->root : r->g->store->root;
    return id && !r->t ? ENOENT : 0;
}

void store_request(struct store_guest *g)
{
    struct request r = { .g = g };
    u32 type = g->in.head.type;
    int error = type < XS_TYPE_COUNT && messages[type].handler ? 0 : ENOSYS;
    g->requests++;
    if (!error)
        error = take_arguments(&r, messages[type].arg);
    if (!error)
        error = take_transaction(&r);
    if (!error)
        error = messages[type].handler(&r);
    if (error)
        reply_error(g, error);
}
