/* SPDX-License-Identifier: MIT */
/*
 * Interrupt remapping and posting (VT-d chapter 5). A message in the remappable format carries only a number; the table's entry says what is
 * to happen, and which source may ask for it. So a device in a guest's hands can raise what its guest was given, and nothing else.
 */
#include "devices/iommu/iommu.h"

enum { REMAPPABLE = 1 << 4, WITH_SUBHANDLE = 1 << 3, SOURCE_CHECKED = 1 << 18, WORDS = 512 };

static u16 index_of(u64 address, u32 data)
{
    u16 handle = (address >> 5 & 0x7fff) | (address >> 2 & 1) << 15;
    return address & WITH_SUBHANDLE ? handle + (u16)data : handle;
}

static enum iommu_reason find(struct iommu *u, u16 source, u16 index, const u64 **entry)
{
    u32 entries = 2u << (u->irta & 15);
    if (index >= entries)
        return IOMMU_IR_INDEX;
    const u64 *table = host_memory_table(u->memory, IOMMU_FRAME(u->irta) + index / (WORDS / 2) * PAGE_SIZE);
    if (!table)
        return IOMMU_IR_UNREADABLE;
    *entry = table + 2 * (index % (WORDS / 2));
    if (!((*entry)[0] & ENTRY_PRESENT))
        return IOMMU_IR_NOT_PRESENT;
    return (*entry)[1] & SOURCE_CHECKED && (u16)(*entry)[1] != source ? IOMMU_IR_SOURCE : IOMMU_OK;
}

static enum iommu_reason look(struct iommu *u, u16 source, u64 address, u32 data, struct iommu_message *m)
{
    const u64 *entry;
    if (!(address & REMAPPABLE))
        return IOMMU_IR_COMPATIBILITY;
    enum iommu_reason r = find(u, source, index_of(address, data), &entry);
    if (r != IOMMU_OK)
        return r;
    *m = (struct iommu_message){ .posted = entry[0] & IRTE_POSTED, .vector = entry[0] >> 16, .destination = entry[0] >> 40, .index = index_of(address, data) };
    m->descriptor = m->posted ? (entry[1] & 0xffffffff00000000u) | (entry[0] >> 32 & ~(u64)63) : 0;
    return IOMMU_OK;
}

enum iommu_reason iommu_interrupt(struct iommu *u, u16 source, u64 address, u32 data, struct iommu_message *m)
{
    u->interrupts++;
    *m = (struct iommu_message){ .vector = data, .destination = address >> 12 };
    if (!u->remapping)
        return IOMMU_OK;
    enum iommu_reason r = look(u, source, address, data, m);
    if (r != IOMMU_OK)
        iommu_record_fault(u, source, (u64)index_of(address, data) << 48, true, r);
    return r;
}
