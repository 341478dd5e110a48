/* SPDX-License-Identifier: MIT */
/*
 * The registers (VT-d 10.4): tables are put in force by a command, and what is remembered of them is thrown away by another. Both are
 * done at once here, so a driver that waits for it finds it done.
 */
#include "devices/iommu/iommu.h"

enum { VERSION = 0x10, DOMAINS_16_BITS = 6 };
#define CAP_SAGAW (7ull << 8)                           /* 2, 3 and 4 levels */
#define CAP_MGAW (47ull << 16)                          /* 48 bits of address */
#define CAP_FRO ((u64)(DMAR_FRCD / 16) << 24)
#define CAP_LARGE (3ull << 34)                          /* 2 MiB and 1 GiB pages */
#define CAP_PAGE_INVALIDATION BIT(39)
#define CAP_NFR ((u64)(FAULT_RECORDS - 1) << 40)
#define CAP_POSTING BIT(59)
#define ECAP_REMAPPING BIT(3)
#define ECAP_PASS_THROUGH BIT(6)
#define ECAP_IRO ((u64)(DMAR_IVA / 16) << 8)

void iommu_init(struct iommu *u, struct host_memory *m) { *u = (struct iommu){ .memory = m }; }

/* --- reading --- */

static u64 whole(const struct iommu *u, u32 offset)
{
    switch (offset) {
    case DMAR_VER: return VERSION;
    case DMAR_CAP:
        return DOMAINS_16_BITS | CAP_SAGAW | CAP_MGAW | CAP_FRO | CAP_LARGE | CAP_PAGE_INVALIDATION | CAP_NFR | CAP_POSTING;
    case DMAR_ECAP: return ECAP_REMAPPING | ECAP_PASS_THROUGH | ECAP_IRO;
    case DMAR_GSTS & ~7u: return (u64)((u->translating ? GCMD_TE | GCMD_SRTP : 0) | (u->remapping ? GCMD_IRE | GCMD_SIRTP : 0)) << 32;
    case DMAR_RTADDR: return u->root_next;
    case DMAR_FSTS & ~7u: return (u64)u->fsts << 32;
    case DMAR_FECTL: return u->fectl | (u64)u->fedata << 32;
    case DMAR_FEADDR: return u->feaddr;
    case DMAR_IRTA: return u->irta_next;
    case DMAR_IVA: return u->iva;
    }
    return offset >= DMAR_FRCD ? iommu_fault_read(u, offset) : 0;   /* CCMD and IOTLB: done, so nothing is in progress */
}

u64 iommu_read(struct iommu *u, u32 offset, unsigned size)
{
    if (offset >= DMAR_END || (size != 4 && size != 8) || offset % size)
        return 0;
    u64 value = whole(u, offset & ~7u);
    return size == 8 ? value : (u32)(value >> (8 * (offset & 4)));
}

/* --- writing --- */

static void command(struct iommu *u, u32 value)
{
    if (value & GCMD_SRTP)
        u->root = IOMMU_FRAME(u->root_next);
    if (value & GCMD_SIRTP)
        u->irta = u->irta_next;
    u->translating = value & GCMD_TE;
    u->remapping = value & GCMD_IRE;
}

static void invalidate_contexts(struct iommu *u, u64 value)
{
    if (value & CCMD_ICC)
        context_invalidate(u, value >> CCMD_KIND_SHIFT & 3, value, value >> 16);
}

static void invalidate_iotlb(struct iommu *u, u64 value)
{
    if (value & IOTLB_IVT)
        iotlb_invalidate(u, value >> IOTLB_KIND_SHIFT & 3, value >> IOTLB_DOMAIN_SHIFT, u->iva & PAGE_MASK, u->iva & 0x3f);
}

static void write_high(u64 *to, u64 value, unsigned size, bool high)
{
    if (size == 8)
        *to = value;
    else
        *to = high ? (u32)*to | value << 32 : (*to & ~(u64)0xffffffff) | (u32)value;
}

void iommu_write(struct iommu *u, u32 offset, unsigned size, u64 value)
{
    bool high = offset & 4;
    if (offset >= DMAR_END || (size != 4 && size != 8) || offset % size)
        return;
    if (offset >= DMAR_FRCD) {
        iommu_fault_write(u, offset, size == 8 ? value : high ? value << 32 : (u32)value);
        return;
    }
    switch (offset) {
    case DMAR_GCMD: command(u, value); break;
    case DMAR_RTADDR: case DMAR_RTADDR + 4: write_high(&u->root_next, value, size, high); break;
    case DMAR_IRTA: case DMAR_IRTA + 4: write_high(&u->irta_next, value, size, high); break;
    case DMAR_IVA: case DMAR_IVA + 4: write_high(&u->iva, value, size, high); break;
    case DMAR_CCMD: invalidate_contexts(u, value); break;   /* 8 bytes: its command is the highest bit */
    case DMAR_IOTLB: invalidate_iotlb(u, value); break;
    case DMAR_FSTS: u->fsts &= ~(value & FSTS_OVERFLOW); break;
    case DMAR_FECTL: u->fectl = value & BIT(31); break;
    case DMAR_FEDATA: u->fedata = value; break;
    case DMAR_FEADDR: u->feaddr = value; break;
    }
}
