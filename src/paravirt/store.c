/* SPDX-License-Identifier: MIT */
/*
 * The store: a tree of small texts by which a guest learns of its devices, over a page with two rings and an event
 * channel. The hypervisor plays xenstored, with a few fixed nodes and no devices; who writes is refused. Messages may
 * come in pieces and replies may not fit at once, so one of each is kept on our side.
 */
#include "paravirt/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "paravirt/domain.h"

#define HOME "/local/domain/1/"

static const struct node { const char *path, *value; } nodes[] = {
    { HOME "name", "emu" },
    { HOME "domid", "1" },
    { HOME "console/type", "xenconsoled" },
};

/* --- replies --- */

static void reply(struct store *s, u32 type, const void *payload, u32 len)
{
    struct xsd_sockmsg h = { type, s->in.head.req_id, s->in.head.tx_id, len };
    memcpy(s->out + s->out_len, &h, sizeof h);
    memcpy(s->out + s->out_len + sizeof h, payload, len);
    s->out_len += sizeof h + len;
}

static void reply_text(struct store *s, const char *text)
{
    reply(s, s->in.head.type, text, strlen(text) + 1);
}

static void reply_error(struct store *s, int error)
{
    const char *name = "EIO";
    for (unsigned i = 0; i < ARRAY_LEN(xsd_errors); i++)
        if (xsd_errors[i].errnum == error)
            name = xsd_errors[i].errstring;
    reply(s, XS_ERROR, name, strlen(name) + 1);
}

/* --- the tree --- */

/* The request's path, absolute, into buf. NULL if it is no text or too long. */
static const char *path_of(const struct store *s, char buf[XENSTORE_ABS_PATH_MAX + 32])
{
    const char *p = (const char *)s->in.payload;
    if (!memchr(p, 0, s->in.head.len) || strlen(p) >= XENSTORE_REL_PATH_MAX)
        return NULL;
    snprintf(buf, XENSTORE_ABS_PATH_MAX + 32, "%s%s", *p == '/' ? "" : HOME, p);
    size_t len = strlen(buf);
    if (len > 1 && buf[len - 1] == '/')
        buf[len - 1] = 0;
    return buf;
}

/* What of a node's path lies below `dir`; NULL if it is not below it. */
static const char *below(const struct node *n, const char *dir)
{
    size_t len = strlen(dir);
    if (strcmp(dir, "/") == 0)
        return n->path + 1;
    return strncmp(n->path, dir, len) == 0 && n->path[len] == '/' ? n->path + len + 1 : NULL;
}

static bool listed(const char *list, u32 len, const char *name, size_t namelen)
{
    for (const char *p = list; p < list + len; p += strlen(p) + 1)
        if (strlen(p) == namelen && memcmp(p, name, namelen) == 0)
            return true;
    return false;
}

static void do_directory(struct store *s, const char *path)
{
    char list[512];
    u32 len = 0;
    bool exists = false;
    for (unsigned i = 0; i < ARRAY_LEN(nodes); i++) {
        const char *rest = below(&nodes[i], path);
        size_t n = rest ? strcspn(rest, "/") : 0;
        exists |= rest || strcmp(nodes[i].path, path) == 0;
        if (!rest || listed(list, len, rest, n) || len + n + 1 > sizeof list)
            continue;
        memcpy(list + len, rest, n);
        list[len + n] = 0;
        len += n + 1;
    }
    if (exists)
        reply(s, XS_DIRECTORY, list, len);
    else
        reply_error(s, ENOENT);
}

static void do_read(struct store *s, const char *path)
{
    for (unsigned i = 0; i < ARRAY_LEN(nodes); i++)
        if (strcmp(nodes[i].path, path) == 0) {
            reply(s, XS_READ, nodes[i].value, strlen(nodes[i].value)); /* values have no NUL */
            return;
        }
    reply_error(s, ENOENT);
}

static void do_perms(struct store *s, const char *path) { reply_text(s, "r0"); }
static void do_domain_path(struct store *s, const char *path) { reply_text(s, "/local/domain/1"); }
static void do_transaction(struct store *s, const char *path) { reply_text(s, "1"); }
static void do_ok(struct store *s, const char *path) { reply_text(s, "OK"); }
static void do_refuse(struct store *s, const char *path) { reply_error(s, EACCES); }

/* A watch fires once when it is set: so its owner looks at what is there already. */
static void do_watch(struct store *s, const char *path)
{
    reply_text(s, "OK");
    s->in.head.req_id = s->in.head.tx_id = 0;
    reply(s, XS_WATCH_EVENT, s->in.payload, s->in.head.len);
}

static void handle(struct store *s)
{
    static void (*const handler[XS_TYPE_COUNT])(struct store *, const char *) = {
        [XS_DIRECTORY] = do_directory, [XS_READ] = do_read, [XS_GET_PERMS] = do_perms, [XS_WATCH] = do_watch, [XS_UNWATCH] = do_ok,
        [XS_TRANSACTION_START] = do_transaction, [XS_TRANSACTION_END] = do_ok, [XS_GET_DOMAIN_PATH] = do_domain_path,
        [XS_WRITE] = do_refuse, [XS_MKDIR] = do_refuse, [XS_RM] = do_refuse, [XS_SET_PERMS] = do_refuse,
    };
    char buf[XENSTORE_ABS_PATH_MAX + 32];
    const char *path = path_of(s, buf);
    u32 type = s->in.head.type;
    if (type >= XS_TYPE_COUNT || !handler[type])
        reply_error(s, ENOSYS);
    else if (!path)
        reply_error(s, EINVAL);
    else
        handler[type](s, path);
}

/* --- the rings --- */

/* As much of the reply as there is room for. True if something moved. */
static bool flush(struct store *s, struct xenstore_domain_interface *ring)
{
    u32 prod = ring->rsp_prod, start = prod;
    while (s->out_done < s->out_len && prod - ring->rsp_cons < XENSTORE_RING_SIZE)
        ring->rsp[MASK_XENSTORE_IDX(prod++)] = s->out[s->out_done++];
    ring->rsp_prod = prod;
    if (s->out_done == s->out_len)
        s->out_done = s->out_len = 0;
    return prod != start;
}

static u32 wanted(const struct store *s)
{
    return s->have < sizeof s->in.head ? sizeof s->in.head : sizeof s->in.head + s->in.head.len;
}

/* Take bytes of the request until it is whole. False: more must come, or the guest speaks no sense. */
static bool receive(struct store *s, struct xenstore_domain_interface *ring)
{
    u32 prod = ring->req_prod, cons = ring->req_cons;
    if (prod - cons > XENSTORE_RING_SIZE)
        s->dead = true;
    while (!s->dead && cons != prod) {
        ((u8 *)&s->in)[s->have++] = ring->req[MASK_XENSTORE_IDX(cons++)];
        if (s->have == sizeof s->in.head && s->in.head.len > XENSTORE_PAYLOAD_MAX)
            s->dead = true;
        if (s->have >= sizeof s->in.head && s->have == wanted(s))
            break;
    }
    ring->req_cons = cons;
    return !s->dead && s->have >= sizeof s->in.head && s->have == wanted(s);
}

bool store_serve(struct store *s, struct xenstore_domain_interface *ring)
{
    bool moved = flush(s, ring);
    while (!s->dead && s->out_len == 0 && receive(s, ring)) {
        handle(s);
        s->have = 0;
        moved |= flush(s, ring);
    }
    return moved;
}
