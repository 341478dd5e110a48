/* SPDX-License-Identifier: MIT */
/*
 * Shadow page tables, as KVM had them in 2007: what the processor walks when there is no EPT.
 *
 * Each guest page table that is in use has one or more shadow pages, in the hardware's own format (PAE, or four levels for
 * a long-mode guest), with hpas for gpas. They are filled on hidden faults. The guest's tables are write-protected, so that
 * each write to them exits; it is emulated and takes the shadow entry away. A page that is written over and over and
 * not used between is no longer taken for a page table.
 */
#ifndef EMU_HWASSIST_KVM_SHADOW_H
#define EMU_HWASSIST_KVM_SHADOW_H

#include "hwassist/vmx/hostmem.h"
#include "mmu/mmu.h"

#define SHADOW_BUCKETS 1024

/* What a shadow page stands for; pages are shared where all of it is the same. */
struct shadow_role {
    u64 gfn;            /* of the guest's table; direct: of the first page that is mapped */
    u8 level;           /* 1: maps pages */
    u8 quadrant;        /* which part of a 32-bit guest's table, whose entries are half as long */
    u8 access;          /* PERM_*: what the levels above allow */
    bool direct;        /* part of a large page, or paging is off: there is no guest table */
};

struct shadow_page {
    struct shadow_role role;
    hpa_t table;
    u64 *entry;         /* 512, in the pool */
    u64 **parent;       /* entries that point here; owned */
    unsigned nparents, parents_cap;
    unsigned writes;    /* to the guest's table since it was last used */
    struct shadow_page *next; /* in its bucket */
};

/* Writable leaf entries of one guest page, so that it can be write-protected. */
struct shadow_rmap { u64 **entry; unsigned n, cap; };

struct shadow {
    struct physmap *map;        /* the guest's memory */
    struct mmu *guest;          /* walks the guest's own tables in the guest's view */
    struct hostmem *host;
    struct shadow_page *bucket[SHADOW_BUCKETS];
    struct shadow_page *by_table[HOST_POOL_FRAMES];
    struct shadow_rmap *rmap;   /* by gfn; owned */
    u64 ngfn;
    hpa_t root;                 /* PAE: the frame with the four pointers, or the PML4's shadow */
    hpa_t pae_frame;
    bool stale;                 /* the root must be made anew before the next entry */
    gpa_t apic_gpa; hpa_t apic_access; /* where the guest has its local APIC, and the APIC-access page; 0: there is none */
    gpa_t device;               /* what the last SHADOW_MMIO was about */
    bool in_walk;               /* writes are A and D bits of our own walk */
    struct phys_observer observer;
    u64 prefills;               /* of the fills, those without a fault: counted */
    u64 fills, zapped_entries, zapped_pages, unshadowed; /* counted */
};

int shadow_init(struct shadow *s, struct physmap *map, struct mmu *guest, struct hostmem *host, struct error *err);
void shadow_fini(struct shadow *s);

/* Make the root for the guest's present CR3; the value for the hardware's CR3. */
hpa_t shadow_load_root(struct shadow *s);
/* All shadow pages go. */
void shadow_zap_all(struct shadow *s);

enum shadow_result {
    SHADOW_FILLED,      /* the shadow has it now */
    SHADOW_TRUE_FAULT,  /* the guest's own: *f has the error code */
    SHADOW_PT_WRITE,    /* write to a shadowed page table */
    SHADOW_MMIO,        /* not memory, or ROM written */
};
/* The processor faulted at gva walking the shadow: whose fault is it? */
enum shadow_result shadow_fault(struct shadow *s, gva_t gva, u32 error, struct mmu_fault *f);

#endif
