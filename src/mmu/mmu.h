/* SPDX-License-Identifier: MIT */
/*
 * The processor's paging unit (SDM vol. 3, chapter 4): page walks in all four modes, and a
 * software TLB that turns gva into hva for the interpreter.
 *
 * A walk may run in two dimensions: with a stage 2 (EPT) every guest-physical address,
 * those of the paging structures too, is translated once more.
 */
#ifndef EMU_MMU_MMU_H
#define EMU_MMU_MMU_H

#include "mmu/physmap.h"
#include "mmu/walkcache.h"

enum mmu_access { ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_EXEC = 2 };

/* #PF error code bits, SDM vol. 3, 4.7. */
enum pf_error { PF_PRESENT = 1, PF_WRITE = 2, PF_USER = 4, PF_RSVD = 8, PF_FETCH = 16 };

enum paging_mode { PAGING_OFF, PAGING_32, PAGING_PAE, PAGING_4LEVEL };

/* Permissions of a translation. */
enum { PERM_R = 1, PERM_W = 2, PERM_X = 4, PERM_USER = 8 };

struct xlat {
    gpa_t gpa;          /* of the very address asked for */
    u8 perms;           /* what the tables allow (PERM_*), before CR0.WP */
    u8 page_shift;      /* 12, 21, 22 or 30 */
    bool global;
    bool dirty;         /* leaf D bit is set: a writable mapping may be cached */
    /* the paging-structure entries that were read, from the top, by their place in the physmap: who caches the result traces these */
    u8 depth;
    struct { gpa_t gpa; u8 size /* bytes */, span_shift /* log2 of the linear range that it governs */; } entry[4];
};

/* Why a translation failed. */
struct mmu_fault {
    enum { FAULT_NONE, FAULT_PAGE, FAULT_STAGE2 } kind;
    gva_t gva;
    u32 error;          /* FAULT_PAGE: the #PF error code */
    gpa_t gpa;          /* FAULT_STAGE2: the address that the second stage refused */
    u64 qualification;  /* FAULT_STAGE2: exit qualification, SDM vol. 3, table 28-7 */
    bool misconfig;     /* FAULT_STAGE2: misconfiguration rather than violation */
};

/* The second dimension. translate() turns a guest-physical address into the address in the
 * physmap, or fills *fault (gpa, qualification, misconfig) and returns -1. */
struct stage2 {
    struct physmap *tables;     /* where the paging structures lie, if not in the guest's own map (shadow tables); NULL: there */
    bool by_register;           /* the last translation holds for that register of a device, not for its page */
    int (*translate)(struct stage2 *s, gpa_t gpa, enum mmu_access a, bool paging_structure, gpa_t *out, u8 *perms, struct mmu_fault *fault);
};

#define TLB_ENTRIES 1024
struct tlb_entry {
    /* gva page number << 12 if that access may go straight to memory; with TLB_DEVICE in it, if the page is known but is a device's;
     * TLB_NONE otherwise */
    u64 tag[3];         /* by enum mmu_access */
    u64 held;           /* whose translation the modelled processor's TLB holds here: also one that the emulator must look up each time, for the page is watched */
    uintptr_t addend;   /* hva = gva + addend */
    gpa_t gpa_page;
    bool global, large;
};
#define TLB_NONE 1
#define TLB_DEVICE 2

/* Does a 48-bit linear address stand there, its upper bits all alike? SDM vol. 1, 3.3.7.1 */
static inline bool gva_canonical(gva_t gva) { return (u64)((s64)gva >> 47) + 1 <= 1; }

struct mmu {
    struct physmap *map;
    struct stage2 *stage2;      /* NULL: one dimension */
    /* the registers that matter, kept true by mmu_set_regs() */
    u64 cr0, cr3, cr4, efer;
    enum paging_mode mode;
    u64 pdpte[4];               /* PAE: loaded with CR3, SDM vol. 3, 4.4.1 */
    struct mmu_fault pdpte_fault; /* set when that load met a stage-2 fault */
    u8 phys_bits;               /* MAXPHYADDR */
    bool huge_pages;            /* CPUID: pages of 1 GiB */
    struct tlb_entry tlb[2][TLB_ENTRIES]; /* [user] */
    /* counted, never reset by flushes */
    u64 walks, walk_refs, tlb_flushes, tlb_invlpgs;
    struct walk_caches caches;  /* of its page walker */
    u64 written[TLB_ENTRIES / 64]; /* a bit for each gpa page (mod TLB_ENTRIES) that some entry may write to, or might have */
    u64 misses;                 /* walks that the modelled processor made: its TLB did not hold the page */
    bool large_pages;           /* some entry came from a page of more than 4 KiB */
    struct phys_observer observer;
};

void mmu_init(struct mmu *u, struct physmap *map);
void mmu_fini(struct mmu *u);

/* The processor wrote a control register. Recomputes the mode; flushes what the SDM says is flushed (vol. 3,
 * 4.10.4). Returns false if a PAE page-directory-pointer is malformed (#GP) or lies where stage 2 faults (then
 * pdpte_fault.kind is FAULT_STAGE2): nothing changed then. */
bool mmu_set_regs(struct mmu *u, u64 cr0, u64 cr3, u64 cr4, u64 efer);
/* The same, with PAE pointers given rather than read (state loaded from a VMCS or a snapshot). */
void mmu_load_regs(struct mmu *u, u64 cr0, u64 cr3, u64 cr4, u64 efer, const u64 pdpte[4]);

void mmu_flush(struct mmu *u, bool globals_too);
void mmu_invlpg(struct mmu *u, gva_t gva);
/* Two machines take turns on one TLB whose entries are tagged (VPID): where a set is too small for what both hold, *u loses what `other`
 * has displaced since. How many pages' entries *u had, and lost. */
struct tlb_loss { unsigned held, lost; };
struct tlb_loss mmu_compete(struct mmu *u, const struct mmu *other);

/* Walk the tables for one access at gva. On success fills *x, having set A (and D for a write) bits. On failure
 * fills *f and returns -1 (0 on success). `user`: the access is made at CPL 3. */
int mmu_walk(struct mmu *u, gva_t gva, enum mmu_access a, bool user, struct xlat *x, struct mmu_fault *f);
/* The same without side effects: no A/D bits, no counters, no stage-2 faults recorded. For debuggers and monitors. */
int mmu_probe(struct mmu *u, gva_t gva, enum mmu_access a, bool user, struct xlat *x);

/* Does the modelled processor's TLB hold the page? Then it need not walk, even if we do. */
static inline bool mmu_holds(const struct mmu *u, gva_t gva, bool user)
{
    return u->tlb[user][(gva >> PAGE_SHIFT) % TLB_ENTRIES].held == (gva & PAGE_MASK);
}

/* hva of [gva, gva+size) for that access, within one page; or NULL when it needs the slow path
 * (TLB miss, page crossing, MMIO, ROM write, marked page). */
static inline u8 *mmu_fast(struct mmu *u, gva_t gva, unsigned size, enum mmu_access a, bool user)
{
    struct tlb_entry *e = &u->tlb[user][(gva >> PAGE_SHIFT) % TLB_ENTRIES];
    if (likely(e->tag[a] == (gva & PAGE_MASK) && (gva & ~PAGE_MASK) + size <= PAGE_SIZE))
        return (u8 *)(gva + e->addend);
    return NULL;
}

/* The second dimension for the address itself: *gpa is replaced, *perms set (both left alone where there is none). 0, or -1 with *f. */
int mmu_second(struct mmu *u, gva_t gva, enum mmu_access a, gpa_t *gpa, u8 *perms, struct mmu_fault *f);

/* The slow path: translate one access that lies within one page and refill the TLB. Returns 0 with *gpa (for
 * physmap_load/store/read/write) and *hva (NULL if it must go through them), or -1 with *f. */
int mmu_translate(struct mmu *u, gva_t gva, enum mmu_access a, bool user, gpa_t *gpa, u8 **hva, struct mmu_fault *f);

#endif
