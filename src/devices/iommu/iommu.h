/* SPDX-License-Identifier: MIT */
/*
 * An IOMMU after Intel's VT-d (Virtualization Technology for Directed I/O, revision 2.0; "VT-d" in these files). Every access of a
 * device comes with its source identifier (bus, device, function). By it the root and context tables (chapter 9.1, 9.3) give a domain and
 * its second-level page table, which turns the device's address into one of the host's memory. What the tables do not allow is recorded
 * and does not happen. Interrupt messages are requests like others; they are looked up in a table of their own (chapter 5).
 *
 * iommu.c has the registers, iommu_walk.c the tables, iommu_tlb.c what is remembered of them, iommu_fault.c the records, iommu_interrupt.c the
 * messages. It reads its tables in the modelled host's memory (host_memory.h). Who fills them is not its business.
 */
#ifndef EMU_DEVICES_IOMMU_H
#define EMU_DEVICES_IOMMU_H

#include "devices/iommu/host_memory.h"

/* Offsets of registers (VT-d 10.4). The IOTLB's and the fault records' places are as CAP and ECAP say. */
enum iommu_offset {
    DMAR_VER = 0x00, DMAR_CAP = 0x08, DMAR_ECAP = 0x10, DMAR_GCMD = 0x18, DMAR_GSTS = 0x1c, DMAR_RTADDR = 0x20, DMAR_CCMD = 0x28,
    DMAR_FSTS = 0x34, DMAR_FECTL = 0x38, DMAR_FEDATA = 0x3c, DMAR_FEADDR = 0x40, DMAR_IRTA = 0xb8, DMAR_IVA = 0x100, DMAR_IOTLB = 0x108,
    DMAR_FRCD = 0x200, DMAR_END = 0x280,
};
enum { GCMD_SIRTP = 1 << 24, GCMD_IRE = 1 << 25, GCMD_SRTP = 1 << 30 };
#define GCMD_TE (1u << 31)
enum { FSTS_OVERFLOW = 1 << 0, FSTS_PENDING = 1 << 1, FSTS_INDEX_SHIFT = 8 };
#define CCMD_ICC BIT(63)
#define IOTLB_IVT BIT(63)
enum { INVALIDATE_GLOBAL = 1, INVALIDATE_DOMAIN = 2, INVALIDATE_FINER = 3 };    /* by device for contexts, by page for the IOTLB */
enum { CCMD_KIND_SHIFT = 61, IOTLB_KIND_SHIFT = 60, IOTLB_DOMAIN_SHIFT = 32 };
#define FRCD_FAULT BIT(63)
#define FRCD_READ BIT(62)

/* Tables. */
#define ENTRY_PRESENT BIT(0)
enum { CONTEXT_PASS_THROUGH = 2 << 2, CONTEXT_TYPE = 3 << 2, CONTEXT_DOMAIN_SHIFT = 8 /* in the second word */ };
enum { SL_READ = 1 << 0, SL_WRITE = 1 << 1, SL_LARGE = 1 << 7 };
#define IOMMU_FRAME(e) ((e) & (BIT(52) - PAGE_SIZE))
enum { AW_2_LEVELS = 0, AW_3_LEVELS = 1, AW_4_LEVELS = 2 };
#define IRTE_POSTED BIT(15)

/* Why not (VT-d, appendix A). */
enum iommu_reason {
    IOMMU_OK = 0, IOMMU_NO_ROOT = 1, IOMMU_NO_CONTEXT = 2, IOMMU_BAD_CONTEXT = 3, IOMMU_BEYOND_WIDTH = 4, IOMMU_NO_WRITE = 5, IOMMU_NO_READ = 6,
    IOMMU_TABLE_UNREADABLE = 7, IOMMU_ROOT_UNREADABLE = 8, IOMMU_CONTEXT_UNREADABLE = 9, IOMMU_ROOT_RESERVED = 10, IOMMU_CONTEXT_RESERVED = 11,
    IOMMU_ENTRY_RESERVED = 12, IOMMU_IR_RESERVED = 0x20, IOMMU_IR_INDEX = 0x21, IOMMU_IR_NOT_PRESENT = 0x22, IOMMU_IR_UNREADABLE = 0x23,
    IOMMU_IR_COMPATIBILITY = 0x25, IOMMU_IR_SOURCE = 0x26,
};
const char *iommu_reason_text(enum iommu_reason r);

enum { IOTLB_ENTRIES = 64, CONTEXT_ENTRIES = 16, FAULT_RECORDS = 8 };

struct iotlb_entry { bool valid; u16 domain; u64 page; hpa_t frame; u8 perms; };
struct context_entry { bool valid; u16 source, domain; u8 levels; bool pass; hpa_t table; };
struct fault_record { u64 low, high; };         /* as in FRCD: the address; reason, type, source */

struct iommu {
    struct host_memory *memory;
    bool translating, remapping;                /* GSTS.TES, IRES */
    u64 root, root_next, irta, irta_next;       /* in force; written, and taken by SRTP, SIRTP */
    u64 iva;
    u32 fsts, fectl, fedata, feaddr;
    struct fault_record fault[FAULT_RECORDS];
    unsigned next_fault;
    struct iotlb_entry iotlb[IOTLB_ENTRIES];    /* the oldest goes */
    struct context_entry context[CONTEXT_ENTRIES];
    unsigned iotlb_next, context_next;
    /* counted */
    u64 requests, hits, walks, walk_refs, faults, invalidations, interrupts;
};

void iommu_init(struct iommu *u, struct host_memory *m);

/* 4 or 8 bytes, at a multiple of that. */
u64 iommu_read(struct iommu *u, u32 offset, unsigned size);
void iommu_write(struct iommu *u, u32 offset, unsigned size, u64 value);

static inline u16 iommu_source(u8 bus, u8 devfn) { return bus << 8 | devfn; }

/* A device's access within one page. IOMMU_OK with *hpa, or why not: then a fault has been recorded. *walked: it was not in the IOTLB. */
enum iommu_reason iommu_translate(struct iommu *u, u16 source, u64 address, bool write, hpa_t *hpa, bool *walked);

/* A device's write of `data` to FEExxxxxh. */
struct iommu_message {
    bool posted;                /* the guest gets it by its descriptor, whose hpa follows; otherwise a vector of the host */
    u8 vector, destination;
    hpa_t descriptor;
    u16 index;                  /* of the table's entry */
};
enum iommu_reason iommu_interrupt(struct iommu *u, u16 source, u64 address, u32 data, struct iommu_message *m);

/* --- between the files --- */

enum iommu_reason iommu_find_context(struct iommu *u, u16 source, struct context_entry *c);
enum iommu_reason iommu_walk(struct iommu *u, const struct context_entry *c, u64 address, bool write, struct iotlb_entry *e);
struct iotlb_entry *iotlb_find(struct iommu *u, u16 domain, u64 address);
void iotlb_insert(struct iommu *u, const struct iotlb_entry *e);
void iotlb_invalidate(struct iommu *u, unsigned kind, u16 domain, u64 address, unsigned mask);
void context_invalidate(struct iommu *u, unsigned kind, u16 domain, u16 source);
void iommu_record_fault(struct iommu *u, u16 source, u64 address, bool write, enum iommu_reason r);
u64 iommu_fault_read(const struct iommu *u, u32 offset);
void iommu_fault_write(struct iommu *u, u32 offset, u64 value);

#endif
