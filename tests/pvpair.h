/* SPDX-License-Identifier: MIT */
/* Two domains on one Xen, for tests. */
#ifndef EMU_TESTS_PVPAIR_H
#define EMU_TESTS_PVPAIR_H

#include "bt/bt.h"
#include "pvgrant.h"
#include "pvstore.h"

#define A DOMID_GUEST
#define B (DOMID_GUEST + 1)
#define NOBODY 7
#define FOREIGN(mfn) ((u32)A << FOREIGN_SHIFT | (mfn))  /* as B names a frame of A's */

struct pair { struct fixture a, b; };

static inline bool open_pair(struct pair *p, void (*adjust)(struct vm_config *c))
{
    memset(p, 0, sizeof *p);
    return CHECK(fixture_open_machine(&p->a, &good_image, adjust)) && CHECK(fixture_open_beside(&p->b, &good_image, &p->a, adjust)) &&
           open_table(&p->a) && open_table(&p->b);
}

static inline void close_pair(struct pair *p)
{
    if (p->b.vm) {
        CHECK_STR(audit(&p->a), "");
        CHECK_STR(audit(&p->b), "");
        fixture_close(&p->b);
    }
    fixture_close(&p->a);
}

#define PAIR(p) struct pair p; if (!open_pair(&p, NULL)) { close_pair(&p); return; }

/* The domain's own end comes to the run loop, as it does after the hypercall that caused it. */
static inline void dies(struct fixture *f)
{
    struct exit e;
    domain_crash(f->d, "it was asked to");
    f->vm->engine->run(f->vm->vcpu[0], f->vm->clock.now + 1000, &e);
    CHECK_EQ(e.kind, EXIT_STOPPED);
    CHECK(f->d->buried);
}

#define SHARED PAGE(5)      /* A's page */
#define WINDOW PAGE(6)      /* where B maps it */

static inline s16 b_maps(struct pair *p, u32 ref, u32 flags, u32 at, u32 *handle)
{
    return map_at(&p->b, A, ref, GNTMAP_host_map | flags, at, handle);
}

#endif
