/* SPDX-License-Identifier: MIT */
#include "paravirt/backend/ring.h"

#include <string.h>

static u32 power_of_two_at_most(u32 n)
{
    u32 p = 1;
    while (p * 2 <= n)
        p *= 2;
    return p;
}

void ring_connect(struct ring *r, void *page, u32 size)
{
    *r = (struct ring){ .page = page, .size = size };
    r->slots = power_of_two_at_most((PAGE_SIZE - sizeof *r->page) / size);
    r->req_cons = r->rsp_prod = r->page->rsp_prod; /* 0, unless the front-end goes on with a ring that was in use */
}

static u8 *slot(const struct ring *r, u32 index)
{
    return r->page->slot + (index & (r->slots - 1)) * r->size;
}

u32 ring_waiting(const struct ring *r) { return r->page->req_prod - r->req_cons; }

bool ring_overrun(const struct ring *r)
{
    return r->page->req_prod - r->rsp_prod > r->slots;
}

bool ring_take(struct ring *r, void *request, u32 len)
{
    if (!ring_waiting(r) || ring_overrun(r))
        return false;
    memcpy(request, slot(r, r->req_cons++), len);
    return true;
}

bool ring_rest(struct ring *r)
{
    r->page->req_event = r->req_cons + 1;
    return ring_waiting(r);
}

void ring_answer(struct ring *r, const void *response, u32 len)
{
    memcpy(slot(r, r->rsp_prod++), response, len);
}

bool ring_publish(struct ring *r)
{
    u32 old = r->page->rsp_prod, new = r->rsp_prod;
    r->page->rsp_prod = new;
    return new - r->page->rsp_event < new - old;
}
