/* SPDX-License-Identifier: MIT */
/*
 * The back-end's side of a shared ring (xen/io/ring.h has the front-end's idea of it, as macros): one page with four
 * indices, and slots that hold a request until the response to it takes its place. Indices run freely and are never
 * reduced; a slot is index modulo size.
 *
 *     req_prod, rsp_event     written by the front-end: requests made; tell me when rsp_prod passes this
 *     rsp_prod, req_event     written by the back-end: responses made; tell me when req_prod passes this
 *
 * What a request says is copied once, and the copy is used: the guest may write while we look.
 */
#ifndef EMU_PARAVIRT_BACKEND_RING_H
#define EMU_PARAVIRT_BACKEND_RING_H

#include "base/types.h"

struct ring_page {
    u32 req_prod, req_event, rsp_prod, rsp_event;
    u8 pad[48];
    u8 slot[];
};
_Static_assert(sizeof(struct ring_page) == 64, "slots begin behind 64 bytes");

struct ring {
    struct ring_page *page;     /* NULL: not connected */
    u32 size, slots;            /* bytes of a slot; how many there are, a power of two */
    u32 req_cons, rsp_prod;     /* our own copies, which the guest cannot touch */
};

/* `size`: of the larger of request and response. */
void ring_connect(struct ring *r, void *page, u32 size);
/* More requests than there are slots: the guest's indices have gone mad, and nothing here can be believed. */
bool ring_overrun(const struct ring *r);
/* The next request, copied. False: there is none. */
bool ring_take(struct ring *r, void *request, u32 len);
u32 ring_waiting(const struct ring *r);
/* Ask to be told of the next request. True: one has come meanwhile, look again. */
bool ring_rest(struct ring *r);
void ring_answer(struct ring *r, const void *response, u32 len);
/* Show the answers. True: the front-end wants to be told. */
bool ring_publish(struct ring *r);

#endif
