/* SPDX-License-Identifier: MIT */
/*
 * The guest's page: two rings of bytes. Messages may come in pieces and replies may not fit at once, so both are kept
 * on our side. Indices run freely and are the guest's to forge: whoever claims more than a ring holds is not listened
 * to any more, and told why.
 */
#include <stdlib.h>
#include <string.h>

#include "paravirt/store/store.h"

/* --- out --- */

static void die(struct store *s)
{
    s->dead = true;
    free(s->out);
    s->out = NULL;
    s->out_len = s->out_done = 0;
}

void store_send(struct store *s, const struct xsd_sockmsg *head, const void *payload)
{
    u32 size = sizeof *head + head->len;
    u8 *more = !s->dead && s->out_len + size <= STORE_OUT_MOST ? realloc(s->out, s->out_len + size) : NULL;
    if (!more) {
        die(s);
        return;
    }
    s->out = more;
    memcpy(s->out + s->out_len, head, sizeof *head);
    memcpy(s->out + s->out_len + sizeof *head, payload, head->len);
    s->out_len += size;
}

void store_event(struct store *s, const struct store_watch *w, const char *path)
{
    char text[XENSTORE_PAYLOAD_MAX];
    size_t home = strlen(s->home);
    const char *told = w->relative && strncmp(path, s->home, home) == 0 ? path + home : path;
    size_t plen = strlen(told) + 1, tlen = strlen(w->token) + 1;
    if (plen + tlen > sizeof text)
        return; /* more than a message may hold */
    memcpy(text, told, plen);
    memcpy(text + plen, w->token, tlen);
    store_send(s, &(struct xsd_sockmsg){ .type = XS_WATCH_EVENT, .len = plen + tlen }, text);
}

static void refuse(struct store *s, struct xenstore_domain_interface *ring, u32 why)
{
    ring->error = why;
    die(s);
}

/* As much of what waits as there is room for. True if something moved. */
static bool flush(struct store *s, struct xenstore_domain_interface *ring)
{
    u32 prod = ring->rsp_prod, cons = ring->rsp_cons, start = prod;
    if (prod - cons > XENSTORE_RING_SIZE) {
        refuse(s, ring, XENSTORE_ERROR_RINGIDX);
        return false;
    }
    while (s->out_done < s->out_len && prod - cons < XENSTORE_RING_SIZE)
        ring->rsp[MASK_XENSTORE_IDX(prod++)] = s->out[s->out_done++];
    ring->rsp_prod = prod;
    if (s->out_done == s->out_len)
        s->out_done = s->out_len = 0;
    return prod != start;
}

/* --- in --- */

static u32 wanted(const struct store *s)
{
    return s->have < sizeof s->in.head ? sizeof s->in.head : sizeof s->in.head + s->in.head.len;
}

/* Take bytes of the request until it is whole. False: more must come, or the guest speaks no sense. */
static bool receive(struct store *s, struct xenstore_domain_interface *ring)
{
    u32 prod = ring->req_prod, cons = ring->req_cons;
    if (prod - cons > XENSTORE_RING_SIZE)
        refuse(s, ring, XENSTORE_ERROR_RINGIDX);
    while (!s->dead && cons != prod) {
        ((u8 *)&s->in)[s->have++] = ring->req[MASK_XENSTORE_IDX(cons++)];
        if (s->have == sizeof s->in.head && s->in.head.len > XENSTORE_PAYLOAD_MAX)
            refuse(s, ring, XENSTORE_ERROR_PROTO);
        if (s->have >= sizeof s->in.head && s->have == wanted(s))
            break;
    }
    ring->req_cons = cons;
    return !s->dead && s->have >= sizeof s->in.head && s->have == wanted(s);
}

bool store_serve(struct store *s, struct xenstore_domain_interface *ring)
{
    if (s->dead)
        return false;
    bool moved = flush(s, ring);
    while (!s->dead && s->out_len == 0 && receive(s, ring)) {
        store_request(s);
        s->have = 0;
        store_run_watches(s);
        if (!s->dead)
            moved |= flush(s, ring);
    }
    return moved;
}
