/* SPDX-License-Identifier: MIT */
#include "hwassist/vmx/hostmem.h"

#include <assert.h>
#include <string.h>

int hostmem_init(struct hostmem *h, struct error *err)
{
    if (physmap_init(&h->map, HOST_POOL_FRAMES * PAGE_SIZE, err) < 0)
        return -1;
    h->base = physmap_add_ram(&h->map, "host-tables", HOST_POOL_HPA, HOST_POOL_FRAMES * PAGE_SIZE, err);
    if (!h->base) {
        physmap_fini(&h->map);
        return -1;
    }
    h->nfree = HOST_POOL_FRAMES;
    for (unsigned i = 0; i < HOST_POOL_FRAMES; i++)
        h->free[i] = HOST_POOL_FRAMES - 1 - i;
    return 0;
}

void hostmem_fini(struct hostmem *h)
{
    physmap_fini(&h->map);
}

hpa_t hostmem_alloc(struct hostmem *h)
{
    if (!h->nfree)
        return 0;
    unsigned frame = h->free[--h->nfree];
    memset(h->base + frame * PAGE_SIZE, 0, PAGE_SIZE);
    return HOST_POOL_HPA + frame * PAGE_SIZE;
}

void hostmem_free(struct hostmem *h, hpa_t frame)
{
    assert(hostmem_table(h, frame) && h->nfree < HOST_POOL_FRAMES);
    h->free[h->nfree++] = (frame - HOST_POOL_HPA) >> PAGE_SHIFT;
}
