/* SPDX-License-Identifier: MIT */
/* The xenstore of one domain: its protocol, apart from how the domain is told that something has come. */
#ifndef EMU_PARAVIRT_STORE_H
#define EMU_PARAVIRT_STORE_H

#include "base/types.h"

#include <errno.h> /* before the next: it names errors only if they are known */
#include <xen/io/xs_wire.h>

struct store {
    struct { struct xsd_sockmsg head; u8 payload[XENSTORE_PAYLOAD_MAX]; } in;
    u32 have;                   /* bytes of the request that have come */
    u8 out[2 * (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)]; /* a reply, and perhaps an event behind it */
    u32 out_len, out_done;
    bool dead;                  /* the guest broke the protocol: nobody listens any more */
};

/* Answer what is in the ring as far as there is room. True: the guest must be told. */
bool store_serve(struct store *s, struct xenstore_domain_interface *ring);

#endif
