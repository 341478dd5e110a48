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

static void die(struct store_guest *g)
{
    g->dead = true;
    free(g->out);
    g->out = NULL;
    g->out_len = g->out_done = 0;
}

void store_send(struct store_guest *g, const struct xsd_sockmsg *head, const void *payload)
{
    u32 size = sizeof *head + head->len;
    u8 *more = !g->dead && g->out_len + size <= STORE_OUT_MOST ? realloc(g->out, g->out_len + size) : NULL;
    if (!more) {
        die(g);
        return;
    }
    g->out = more;
    memcpy(g->out + g->out_len, head, sizeof *head);
    memcpy(g->out + g->out_len + sizeof *head, payload, head->len);
    g->out_len += size;
}

void store_event(const struct store_watch *w, const char *path)
{
    struct store_guest *g = w->guest;
    char text[XENSTORE_PAYLOAD_MAX];
    size_t home = strlen(g->home);
    const char *told = w->relative && strncmp(path, g->home, home) == 0 ? path + home : path;
    size_t plen = strlen(told) + 1, tlen = strlen(w->token) + 1;
    if (plen + tlen > sizeof text)
        return; /* more than a message may hold */
    memcpy(text, told, plen);
    memcpy(text + plen, w->token, tlen);
    store_send(g, &(struct xsd_sockmsg){ .type = XS_WATCH_EVENT, .len = plen + tlen }, text);
}

static void refuse(struct store_guest *g, struct xenstore_domain_interface *ring, u32 why)
{
    ring->error = why;
    die(g);
}

/* As much of what waits as there is room for. True if something moved. */
static bool flush(struct store_guest *g, struct xenstore_domain_interface *ring)
{
    u32 prod = ring->rsp_prod, cons = ring->rsp_cons, start = prod;
    if (prod - cons > XENSTORE_RING_SIZE) {
        refuse(g, ring, XENSTORE_ERROR_RINGIDX);
        return false;
    }
    while (g->out_done < g->out_len && prod - cons < XENSTORE_RING_SIZE)
        ring->rsp[MASK_XENSTORE_IDX(prod++)] = g->out[g->out_done++];
    ring->rsp_prod = prod;
    if (g->out_done == g->out_len)
        g->out_done = g->out_len = 0;
    return prod != start;
}

/* --- in --- */

static u32 wanted(const struct store_guest *g)
{
    return g->have < sizeof g->in.head ? sizeof g->in.head : sizeof g->in.head + g->in.head.len;
}

/* Take bytes of the request until it is whole. False: more must come, or the guest speaks no sense. */
static bool receive(struct store_guest *g, struct xenstore_domain_interface *ring)
{
    u32 prod = ring->req_prod, cons = ring->req_cons;
    if (prod - cons > XENSTORE_RING_SIZE)
        refuse(g, ring, XENSTORE_ERROR_RINGIDX);
    while (!g->dead && cons != prod) {
        ((u8 *)&g->in)[g->have++] = ring->req[MASK_XENSTORE_IDX(cons++)];
        if (g->have == sizeof g->in.head && g->in.head.len > XENSTORE_PAYLOAD_MAX)
            refuse(g, ring, XENSTORE_ERROR_PROTO);
        if (g->have >= sizeof g->in.head && g->have == wanted(g))
            break;
    }
    ring->req_cons = cons;
    return !g->dead && g->have >= sizeof g->in.head && g->have == wanted(g);
}

bool store_deliver(struct store_guest *g, struct xenstore_domain_interface *ring)
{
    return !g->dead && g->out_len && flush(g, ring);
}

bool store_serve(struct store_guest *g, struct xenstore_domain_interface *ring)
{
    if (g->dead)
        return false;
    bool moved = flush(g, ring);
    while (!g->dead && g->out_len == 0 && receive(g, ring)) {
        store_request(g);
        g->have = 0;
        store_run_watches(g->store);
        if (!g->dead)
            moved |= flush(g, ring);
    }
    return moved;
}
