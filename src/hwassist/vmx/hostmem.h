/* SPDX-License-Identifier: MIT */
/*
 * Memory of the modelled host, as far as the model needs any: a pool of 4 KiB frames for tables that
 * the processor walks (EPT, shadow page tables) or reads (bitmaps), and the place of guest RAM.
 *
 *     hpa 16 MiB ..   the pool
 *     hpa 4 GiB ..    guest RAM: hpa = gpa + 4 GiB
 */
#ifndef EMU_HWASSIST_VMX_HOSTMEM_H
#define EMU_HWASSIST_VMX_HOSTMEM_H

#include "mmu/physmap.h"

#define HOST_POOL_HPA ((hpa_t)16 << 20)
#define HOST_POOL_FRAMES 4096
#define HOST_GUEST_HPA ((hpa_t)4 << 30)

struct hostmem {
    struct physmap map;         /* the pool by hpa, so that the paging unit can walk tables in it */
    u8 *base;                   /* of the pool */
    u16 free[HOST_POOL_FRAMES]; /* stack of free frames */
    unsigned nfree;
};

int hostmem_init(struct hostmem *h, struct error *err);
void hostmem_fini(struct hostmem *h);

/* A zeroed frame's hpa, or 0 when the pool is empty. */
hpa_t hostmem_alloc(struct hostmem *h);
void hostmem_free(struct hostmem *h, hpa_t frame);

/* The frame of the pool that holds hpa, as 512 entries; NULL outside the pool. */
static inline u64 *hostmem_table(const struct hostmem *h, hpa_t hpa)
{
    u64 offset = (hpa & PAGE_MASK) - HOST_POOL_HPA;
    return offset < HOST_POOL_FRAMES * PAGE_SIZE ? (u64 *)(h->base + offset) : NULL;
}

#endif
