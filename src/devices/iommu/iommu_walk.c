/* SPDX-License-Identifier: MIT */
/* From a source and an address to the host's memory (VT-d 3.4 to 3.7): root table by bus, context table by device, then 2 to 4 levels. */
#include "devices/iommu/iommu.h"

enum { LEVEL_BITS = 9, WORDS = 512 };

static u64 *table_at(struct iommu *u, hpa_t hpa)
{
    u->walk_refs++;
    return host_memory_table(u->memory, hpa);
}

/* --- whose tables? --- */

static enum iommu_reason read_context(struct iommu *u, u16 source, struct context_entry *c)
{
    const u64 *root = table_at(u, u->root), *context;
    if (!root)
        return IOMMU_ROOT_UNREADABLE;
    root += 2 * (source >> 8);
    if (!(root[0] & ENTRY_PRESENT))
        return IOMMU_NO_ROOT;
    if (root[1] || root[0] & (PAGE_SIZE - 2))
        return IOMMU_ROOT_RESERVED;
    context = table_at(u, IOMMU_FRAME(root[0]));
    if (!context)
        return IOMMU_CONTEXT_UNREADABLE;
    context += 2 * (source & 0xff);
    if (!(context[0] & ENTRY_PRESENT))
        return IOMMU_NO_CONTEXT;
    *c = (struct context_entry){ true, source, context[1] >> CONTEXT_DOMAIN_SHIFT, 2 + (context[1] & 7),
                                 (context[0] & CONTEXT_TYPE) == CONTEXT_PASS_THROUGH, IOMMU_FRAME(context[0]) };
    if ((context[0] & CONTEXT_TYPE) == CONTEXT_TYPE || c->levels > 4)
        return IOMMU_BAD_CONTEXT;
    return context[0] & 0xff0 ? IOMMU_CONTEXT_RESERVED : IOMMU_OK;
}

enum iommu_reason iommu_find_context(struct iommu *u, u16 source, struct context_entry *c)
{
    for (unsigned i = 0; i < CONTEXT_ENTRIES; i++)
        if (u->context[i].valid && u->context[i].source == source) {
            *c = u->context[i];
            return IOMMU_OK;
        }
    enum iommu_reason r = read_context(u, source, c);
    if (r == IOMMU_OK) {
        u->context[u->context_next] = *c;
        u->context_next = (u->context_next + 1) % CONTEXT_ENTRIES;
    }
    return r;
}

/* --- second level (9.8) --- */

/* A large page's frame has zeros where smaller ones have address bits. */
static bool reserved(u64 entry, unsigned level)
{
    bool large = entry & SL_LARGE;
    if (large && level > 3)
        return true;
    return large && level > 1 && IOMMU_FRAME(entry) & (BIT(PAGE_SHIFT + LEVEL_BITS * (level - 1)) - 1);
}

enum iommu_reason iommu_walk(struct iommu *u, const struct context_entry *c, u64 address, bool write, struct iotlb_entry *e)
{
    u8 perms = SL_READ | SL_WRITE, want = write ? SL_WRITE : SL_READ;
    hpa_t table = c->table;
    if (address >> (PAGE_SHIFT + LEVEL_BITS * c->levels))
        return IOMMU_BEYOND_WIDTH;
    for (unsigned level = c->levels;; level--) {
        unsigned shift = PAGE_SHIFT + LEVEL_BITS * (level - 1);
        const u64 *words = table_at(u, table);
        if (!words)
            return IOMMU_TABLE_UNREADABLE;
        u64 entry = words[address >> shift & (WORDS - 1)];
        perms &= entry;
        if (!(perms & want))
            return write ? IOMMU_NO_WRITE : IOMMU_NO_READ;
        if (reserved(entry, level))
            return IOMMU_ENTRY_RESERVED;
        if (level > 1 && !(entry & SL_LARGE)) {
            table = IOMMU_FRAME(entry);
            continue;
        }
        *e = (struct iotlb_entry){ true, c->domain, address >> PAGE_SHIFT, IOMMU_FRAME(entry) | (address & (BIT(shift) - 1) & PAGE_MASK), perms };
        return IOMMU_OK;
    }
}

/* --- an access --- */

static enum iommu_reason look(struct iommu *u, u16 source, u64 address, bool write, hpa_t *hpa, bool *walked)
{
    struct context_entry c;
    struct iotlb_entry e;
    enum iommu_reason r = iommu_find_context(u, source, &c);
    if (r != IOMMU_OK || c.pass) {
        *hpa = address;
        return r;
    }
    const struct iotlb_entry *hit = iotlb_find(u, c.domain, address);
    if (hit && hit->perms & (write ? SL_WRITE : SL_READ)) {
        u->hits++;
    } else {
        *walked = true;
        u->walks++;
        r = iommu_walk(u, &c, address, write, &e);
        if (r != IOMMU_OK)
            return r;
        iotlb_insert(u, &e);
        hit = &e;
    }
    *hpa = hit->frame | (address & (PAGE_SIZE - 1));
    return IOMMU_OK;
}

enum iommu_reason iommu_translate(struct iommu *u, u16 source, u64 address, bool write, hpa_t *hpa, bool *walked)
{
    *walked = false;
    *hpa = address;
    u->requests++;
    if (!u->translating)
        return IOMMU_OK;
    enum iommu_reason r = look(u, source, address, write, hpa, walked);
    if (r != IOMMU_OK)
        iommu_record_fault(u, source, address, write, r);
    return r;
}
