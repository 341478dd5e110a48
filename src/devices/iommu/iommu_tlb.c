/* SPDX-License-Identifier: MIT */
/* What the IOMMU remembers of its tables (VT-d 6.2): contexts by source, translations by domain and page. It changes only by invalidation. */
#include "devices/iommu/iommu.h"

struct iotlb_entry *iotlb_find(struct iommu *u, u16 domain, u64 address)
{
    for (unsigned i = 0; i < IOTLB_ENTRIES; i++) {
        struct iotlb_entry *e = &u->iotlb[i];
        if (e->valid && e->domain == domain && e->page == address >> PAGE_SHIFT)
            return e;
    }
    return NULL;
}

void iotlb_insert(struct iommu *u, const struct iotlb_entry *e)
{
    struct iotlb_entry *old = iotlb_find(u, e->domain, e->page << PAGE_SHIFT);
    if (!old) {
        old = &u->iotlb[u->iotlb_next];
        u->iotlb_next = (u->iotlb_next + 1) % IOTLB_ENTRIES;
    }
    *old = *e;
}

/* mask: how many low bits of the page's number do not matter. */
void iotlb_invalidate(struct iommu *u, unsigned kind, u16 domain, u64 address, unsigned mask)
{
    u64 page = address >> PAGE_SHIFT;
    if (!kind)
        return;
    u->invalidations++;
    for (unsigned i = 0; i < IOTLB_ENTRIES; i++) {
        struct iotlb_entry *e = &u->iotlb[i];
        bool same_page = mask >= 52 || e->page >> mask == page >> mask;
        if (kind == INVALIDATE_GLOBAL || (e->domain == domain && (kind == INVALIDATE_DOMAIN || same_page)))
            e->valid = false;
    }
}

void context_invalidate(struct iommu *u, unsigned kind, u16 domain, u16 source)
{
    if (!kind)
        return;
    u->invalidations++;
    for (unsigned i = 0; i < CONTEXT_ENTRIES; i++) {
        struct context_entry *c = &u->context[i];
        if (kind == INVALIDATE_GLOBAL || (c->domain == domain && (kind == INVALIDATE_DOMAIN || c->source == source)))
            c->valid = false;
    }
}
