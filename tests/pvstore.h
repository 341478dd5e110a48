/* SPDX-License-Identifier: MIT */
/* For tests: a guest that speaks to the store over its ring, one message at a time. */
#ifndef EMU_TESTS_PVSTORE_H
#define EMU_TESTS_PVSTORE_H

#include "pvtest.h"

struct xenstore_domain_interface *store_ring_of(struct fixture *f);
/* "Look into the ring." */
void store_kick(struct fixture *f);
/* What has come back by now is appended to got, of which n bytes are full; how many are then. */
u32 store_collect(struct fixture *f, u8 *got, u32 n);
/* Put bytes into the request ring, as far as there is room at a time, and kick. Returns how many came back. */
u32 store_ask(struct fixture *f, const void *bytes, u32 len, u8 *got);

/* A reply's payload, and the events that came with it. */
struct store_answer {
    u32 type, len, events;
    char text[8192];            /* payload, ended */
    char event[512];            /* of the last event: path, a space, token */
};
/* Sort n bytes that have come into *a. */
void store_take(struct store_answer *a, const u8 *got, u32 n);
struct store_answer store_tell(struct fixture *f, u32 type, u32 tx, const void *payload, u32 len);

#define TELL(f, type, tx, text) store_tell(f, type, tx, text, sizeof text)              /* with the last NUL */
#define TELL_OPEN(f, type, tx, text) store_tell(f, type, tx, text, sizeof text - 1)     /* without: a value */
#define CHECK_ERROR(a, name) do { struct store_answer a_ = (a); CHECK_EQ(a_.type, XS_ERROR); CHECK_STR(a_.text, name); } while (0)
#define CHECK_OK(a, t) do { struct store_answer a_ = (a); CHECK_EQ(a_.type, t); CHECK_STR(a_.text, "OK"); } while (0)

#endif
