/* SPDX-License-Identifier: MIT */
/*
 * Fault records (VT-d 7.2, 10.4.14): the first eight that software has not cleared yet. A further one is lost, but that one was lost is
 * noted; so a hostile device cannot fill anything.
 */
#include "devices/iommu/iommu.h"

static const struct { enum iommu_reason reason; const char *text; } texts[] = {
    { IOMMU_OK, "none" }, { IOMMU_NO_ROOT, "the bus has no context table" }, { IOMMU_NO_CONTEXT, "the device has no domain" },
    { IOMMU_BAD_CONTEXT, "its context entry is invalid" }, { IOMMU_BEYOND_WIDTH, "the address is beyond the domain's width" },
    { IOMMU_NO_WRITE, "the page may not be written" }, { IOMMU_NO_READ, "the page may not be read" },
    { IOMMU_TABLE_UNREADABLE, "a page table is not in memory" }, { IOMMU_ROOT_UNREADABLE, "the root table is not in memory" },
    { IOMMU_CONTEXT_UNREADABLE, "the context table is not in memory" }, { IOMMU_ROOT_RESERVED, "reserved bits in the root entry" },
    { IOMMU_CONTEXT_RESERVED, "reserved bits in the context entry" }, { IOMMU_ENTRY_RESERVED, "reserved bits in a page-table entry" },
    { IOMMU_IR_RESERVED, "reserved bits in an interrupt message" }, { IOMMU_IR_INDEX, "an interrupt beyond the table" },
    { IOMMU_IR_NOT_PRESENT, "an interrupt that is not set up" }, { IOMMU_IR_UNREADABLE, "the interrupt table is not in memory" },
    { IOMMU_IR_COMPATIBILITY, "an interrupt message in the old format" }, { IOMMU_IR_SOURCE, "an interrupt of another device" },
};

const char *iommu_reason_text(enum iommu_reason r)
{
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].reason == r)
            return texts[i].text;
    return "?";
}

static void update_pending(struct iommu *u)
{
    u->fsts &= ~(u32)FSTS_PENDING;
    for (unsigned i = 0; i < FAULT_RECORDS; i++)
        if (u->fault[i].high & FRCD_FAULT)
            u->fsts |= FSTS_PENDING;
}

void iommu_record_fault(struct iommu *u, u16 source, u64 address, bool write, enum iommu_reason r)
{
    struct fault_record *f = &u->fault[u->next_fault];
    u->faults++;
    if (f->high & FRCD_FAULT) {
        u->fsts |= FSTS_OVERFLOW;
        return;
    }
    *f = (struct fault_record){ address & PAGE_MASK, FRCD_FAULT | (write ? 0 : FRCD_READ) | (u64)r << 32 | source };
    if (!(u->fsts & FSTS_PENDING))
        u->fsts = (u->fsts & 0xff) | u->next_fault << FSTS_INDEX_SHIFT;
    u->next_fault = (u->next_fault + 1) % FAULT_RECORDS;
    update_pending(u);
}

static const struct fault_record *record_at(const struct iommu *u, u32 offset) { return &u->fault[(offset - DMAR_FRCD) / 16 % FAULT_RECORDS]; }

u64 iommu_fault_read(const struct iommu *u, u32 offset) { return offset & 8 ? record_at(u, offset)->high : record_at(u, offset)->low; }

/* Writing a one clears the F bit. */
void iommu_fault_write(struct iommu *u, u32 offset, u64 value)
{
    if (offset & 8 && value & FRCD_FAULT)
        u->fault[(offset - DMAR_FRCD) / 16 % FAULT_RECORDS].high &= ~FRCD_FAULT;
    update_pending(u);
}
