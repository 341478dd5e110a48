/* SPDX-License-Identifier: MIT */
/* The reverse map: which windows show a guest-physical page, and where. */
#include <stdlib.h>

#include "bt/internal.h"

static struct rmap *rmap_new(struct bt *b)
{
    enum { CHUNK = 1024 };
    if (!b->free_rmap) {
        struct rmap *chunk = calloc(CHUNK, sizeof *chunk);
        b->rmap_chunks = realloc(b->rmap_chunks, (b->nrmap_chunks + 1) * sizeof *b->rmap_chunks);
        b->rmap_chunks[b->nrmap_chunks++] = chunk;
        for (unsigned i = 0; i < CHUNK; i++) {
            chunk[i].next = b->free_rmap;
            b->free_rmap = &chunk[i];
        }
    }
    struct rmap *r = b->free_rmap;
    b->free_rmap = r->next;
    return r;
}

void rmap_add(struct bt *b, gpa_t gpa, u32 window, u32 gva_page)
{
    struct rmap *r = rmap_new(b), **head = &b->rmap[page_hash(gpa)];
    *r = (struct rmap){ window, gva_page, *head };
    *head = r;
    b->rmaps++;
}

void rmap_remove(struct bt *b, gpa_t gpa, u32 window, u32 gva_page)
{
    for (struct rmap **p = &b->rmap[page_hash(gpa)]; *p; p = &(*p)->next) {
        struct rmap *r = *p;
        if (r->window == window && r->gva_page == gva_page) {
            *p = r->next;
            r->next = b->free_rmap;
            b->free_rmap = r;
            b->rmaps--;
            return;
        }
    }
}

struct rmap *rmap_of(const struct bt *b, gpa_t gpa) { return b->rmap[page_hash(gpa)]; }

void rmap_fini(struct bt *b)
{
    for (unsigned i = 0; i < b->nrmap_chunks; i++)
        free(b->rmap_chunks[i]);
    free(b->rmap_chunks);
}
