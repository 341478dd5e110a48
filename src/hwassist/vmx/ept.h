/* SPDX-License-Identifier: MIT */
/*
 * Extended page tables as the processor walks them, SDM vol. 3, 29.3: gpa to hpa through four levels of tables in
 * the modelled host's memory. The monitor builds the tables; this file only reads them (and sets accessed and dirty flags).
 */
#ifndef EMU_HWASSIST_VMX_EPT_H
#define EMU_HWASSIST_VMX_EPT_H

#include "hwassist/vmx/hostmem.h"
#include "mmu/mmu.h"

/* An entry, SDM vol. 3, tables 29-1 to 29-7 */
enum { EPT_R = 1, EPT_W = 2, EPT_X = 4, EPT_RWX = 7, EPT_MEMTYPE = 7 << 3, EPT_WB = 6 << 3, EPT_PS = 1 << 7, EPT_A = 1 << 8, EPT_D = 1 << 9 };
#define EPT_FRAME(e) ((e) & (BIT(52) - 1) & PAGE_MASK)
#define EPT_LEVELS 4
static inline unsigned ept_index(gpa_t gpa, unsigned level) { return gpa >> (PAGE_SHIFT + 9 * (level - 1)) & 511; }

/* EPTP, SDM vol. 3, table 25-9 */
enum { EPTP_WB = 6, EPTP_WALK_4 = 3 << 3, EPTP_AD = 1 << 6 };

/* Exit qualification of a violation, SDM vol. 3, table 28-7 */
enum {
    EPTQ_READ = 1, EPTQ_WRITE = 2, EPTQ_FETCH = 4, EPTQ_READABLE = 8, EPTQ_WRITABLE = 16, EPTQ_EXECUTABLE = 32,
    EPTQ_LINEAR_VALID = 1 << 7, EPTQ_FINAL = 1 << 8 /* the page itself, not a paging structure on the way */
};

struct ept {
    struct stage2 stage2;       /* first: the paging unit calls translate() with its address */
    const struct hostmem *host;
    u64 eptp;
    u8 phys_bits;
    u8 largest;                 /* level of the largest leaf that is supported: 1, 2 (2 MiB) or 3 (1 GiB) */
    u64 refs;                   /* entries read from memory, counted here and, as part of the walk, there: */
    struct mmu *mmu;            /* whose caches these walks use */
    /* the APIC-access page, 0: there is none; which of its registers may be accessed; and whether it was this that refused last */
    hpa_t apic_access;
    const u64 *apic_readable, *apic_writable;
    bool apic_refused;
};

/* Without EPT there is one dimension: the page tables that the processor walks hold hpas, and lie in the host's memory. */
struct host_view { struct stage2 stage2; struct ept *ept; /* for the APIC-access page, which works there too */ };
void host_view_init(struct host_view *v, struct hostmem *host, struct ept *ept);

void ept_init(struct ept *e, const struct hostmem *host, struct mmu *mmu, u32 features);

#endif
