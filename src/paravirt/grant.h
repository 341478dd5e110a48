/* SPDX-License-Identifier: MIT */
/*
 * Inside src/paravirt: grant tables, version 1. A guest writes into pages that it shares with Xen which of its frames
 * another domain may use; who was granted one names it by its number, and Xen looks it up, counts the use, and says
 * so in the entry.
 *
 *     grant.c          the table itself, and the hypercall's batches
 *     grant_access.c   taking and giving back what an entry grants: status bits, counts, the frame's references
 *     grant_map.c      mappings of a grant in the guest's own page tables, and their handles
 *     grant_copy.c     copying without a mapping; transfers, which nobody accepts here
 */
#ifndef EMU_PARAVIRT_GRANT_H
#define EMU_PARAVIRT_GRANT_H

#include "paravirt/domain.h"

#define GRANT_FRAMES 32         /* pages of the table at most */
#define GRANTS_PER_FRAME ((u32)(PAGE_SIZE / sizeof(struct grant_entry_v1)))
#define GRANT_REFS (GRANT_FRAMES * GRANTS_PER_FRAME)
#define GRANT_HANDLES 1024      /* mappings that the guest may hold at a time */
#define GRANT_BATCH_MOST 4096   /* entries of one call */

/* What Xen remembers of an entry while it is in use, whatever the guest writes into the entry meanwhile. */
struct grant_active {
    u32 mfn;                    /* a reference to it for each reader, one of TYPE_WRITABLE for each writer */
    u16 domid;                  /* who uses it */
    u16 readers, writers;       /* uses that may not write, and that may */
};

enum { PART_HOST = 1, PART_DEVICE = 2 };
struct grant_mapping {
    u8 parts;                   /* PART_*: what is still mapped; 0: the handle is free */
    bool readonly, by_entry;    /* by_entry: host_addr is the machine address of a page-table entry */
    u16 domid;                  /* whose grant it is */
    u32 ref, mfn;               /* mfn: as this domain's page tables name it */
    u64 host_addr;
};

struct grants {
    u32 mfn[GRANT_FRAMES], frames;
    struct grant_active active[GRANT_REFS];
    struct grant_mapping mapping[GRANT_HANDLES];
};

/* What is answered to who names another domain than his own where he may not: GNTST_permission_denied or GNTST_bad_domain. */
s16 grant_not_yours(struct domain *d, u16 domid);

/* One entry of a batch, changed in place: its status. */
void grant_map_one(struct domain *d, void *op);
void grant_unmap_one(struct domain *d, void *op);
void grant_copy_one(struct domain *d, void *op);
void grant_transfer_one(struct domain *d, void *op);

#pragma pack(push, 4)
struct gnttab_copy32 {
    struct gnttab_copy_end32 { u32 ref_or_mfn; u16 domid, offset; } source, dest;
    u16 len, flags;
    s16 status;
};
struct gnttab_transfer32 { u32 mfn; u16 domid; u32 ref; s16 status; };
struct gnttab_setup_table32 { u16 dom; u32 nr_frames; s16 status; u32 frame_list; };
#pragma pack(pop)
_Static_assert(sizeof(struct gnttab_copy32) == 24, "32-bit gnttab_copy");
_Static_assert(sizeof(struct gnttab_transfer32) == 16, "32-bit gnttab_transfer");
_Static_assert(sizeof(struct gnttab_setup_table32) == 16, "32-bit gnttab_setup_table");
_Static_assert(sizeof(struct gnttab_map_grant_ref) == 32 && sizeof(struct gnttab_unmap_grant_ref) == 24 &&
               sizeof(struct gnttab_query_size) == 16, "the same for all guests");

#endif
