/* SPDX-License-Identifier: MIT */
#include "pvstore.h"

struct xenstore_domain_interface *store_ring_of(struct fixture *f) { return (void *)frame_hva(f->d, f->d->store_mfn); }

void store_kick(struct fixture *f)
{
    struct evtchn_send send = { f->d->store_port };
    poke(f, PAGE(62), &send, sizeof send);
    CHECK_EQ(call(f, __HYPERVISOR_event_channel_op, EVTCHNOP_send, PAGE(62), 0, 0), 0);
}

/* What has come back by now is appended to got. */
u32 store_collect(struct fixture *f, u8 *got, u32 n)
{
    struct xenstore_domain_interface *ring = store_ring_of(f);
    while (ring->rsp_cons != ring->rsp_prod)
        got[n++] = ring->rsp[MASK_XENSTORE_IDX(ring->rsp_cons++)];
    return n;
}

/* Put bytes into the request ring, as far as there is room at a time, and kick. Returns how many came back. */
u32 store_ask(struct fixture *f, const void *bytes, u32 len, u8 *got)
{
    struct xenstore_domain_interface *ring = store_ring_of(f);
    u32 n = 0, done = 0, before;
    do {
        while (done < len && ring->req_prod - ring->req_cons < XENSTORE_RING_SIZE)
            ring->req[MASK_XENSTORE_IDX(ring->req_prod++)] = ((const u8 *)bytes)[done++];
        store_kick(f);
        before = n;
        n = store_collect(f, got, n);
    } while (done < len || n != before);
    return n;
}


void store_take(struct store_answer *a, const u8 *got, u32 n)
{
    for (u32 at = 0; at + sizeof(struct xsd_sockmsg) <= n;) {
        struct xsd_sockmsg h;
        memcpy(&h, got + at, sizeof h);
        const char *payload = (const char *)got + at + sizeof h;
        if (h.type == XS_WATCH_EVENT) {
            a->events++;
            snprintf(a->event, sizeof a->event, "%.250s %.250s", payload, payload + strlen(payload) + 1);
        } else {
            a->type = h.type;
            a->len = h.len;
            memcpy(a->text, payload, h.len);
            a->text[h.len] = 0;
            CHECK_EQ(h.req_id, 7);
        }
        at += sizeof h + h.len;
    }
}

struct store_answer store_tell(struct fixture *f, u32 type, u32 tx, const void *payload, u32 len)
{
    static u8 request[8192], got[65536];
    struct store_answer a = { .type = ~0u };
    struct xsd_sockmsg h = { type, 7, tx, len };
    memcpy(request, &h, sizeof h);
    memcpy(request + sizeof h, payload, len);
    store_take(&a, got, store_ask(f, request, sizeof h + len, got));
    return a;
}
